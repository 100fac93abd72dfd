"""The re-fetch of some repositories of a shard: whom to ask, and where. How they are downloaded is `fetch`'s business.

The manifest stays as it is: new outcomes go into a new part of the pack, and the later part wins. An account that
another host than the planned one lists, or that its host does not give, is asked for where its DID document says. It
stays in its shard, so that it is in one shard only, and that shard's run asks a foreign host within that host's limits.
A failure says nothing of what is held: it is counted, not stored, and the repository stays stale.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from zeppelin_pipeline.errors import ConfigurationError, InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.fetch import Progress, RowsFetch
from zeppelin_pipeline.repos.fetch_outcome import FetchResult
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.manifests import ManifestRow, read_manifest
from zeppelin_pipeline.repos.named_host import named_host
from zeppelin_pipeline.repos.pack import FAILED, Outcome, latest_outcomes
from zeppelin_pipeline.repos.stale import StaleRow, read_stale

ASKED: Final = "asked"
REV: Final = "rev"
_RESOLUTIONS_AT_ONCE: Final = 50


async def refetch_shard(
    lake: Lake,
    shard: str,
    clients: HostClients,
    resolver: DidResolver,
    settings: FetchSettings | None = None,
    *,
    dids: Iterable[str] | None = None,
    progress: Progress = lambda _done, _total, _bytes: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FetchResult:
    """Fetches a shard's stale repositories again, or those of some accounts; arguments as of `fetch_shard`.

    Stale ones whose outcome is newer than what made them stale are left: a second call does nothing, and after a kill
    the next call does the rest.

    Args:
        lake: with the manifest, the pack and the list of stale repositories.
        shard: its key.
        clients: of all hosts.
        resolver: for the accounts' DID documents.
        settings: limits.
        dids: accounts that are asked for whatever is known of them; null takes the stale ones.
        progress: called every `progress_seconds`, and at the end.
        now: the clock that rows are stamped with.

    Raises:
        FileNotFoundError: there is no such shard.
        ConfigurationError: one of `dids` is not in the shard.
        CorruptStateError: another process writes to the shard's pack.
    """
    manifest = {row.did: row for row in read_manifest(lake, shard)}
    stale = read_stale(lake, shard) if dids is None else _asked_for(dids, manifest, shard, now())
    with lake.lock(layout.pack(shard)):
        outcomes = latest_outcomes(lake, shard)
        waiting = [row for row in stale if row.did in manifest and not _is_settled(row, outcomes.get(row.did))]
        rows = await _placed(waiting, manifest, resolver)
        held = {did for did, outcome in outcomes.items() if outcome.state != FAILED}
        fetch = RowsFetch(lake, shard, clients, resolver, settings or FetchSettings(), progress, now)
        return await fetch.run(rows, repos=len(stale), held=held)


def everybody(lake: Lake, shard: str) -> list[str]:
    """The DIDs of a shard's manifest."""
    return [row.did for row in read_manifest(lake, shard)]


def _asked_for(dids: Iterable[str], manifest: dict[str, ManifestRow], shard: str, now: datetime) -> list[StaleRow]:
    asked = sorted(set(dids))
    unknown = [did for did in asked if did not in manifest]
    if unknown:
        raise ConfigurationError(f"not in shard {shard}: {', '.join(unknown[:10])}")
    return [StaleRow(did, None, ASKED, now) for did in asked]


def _is_settled(row: StaleRow, outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.state != FAILED and outcome.fetched_at > row.since


async def _placed(stale: list[StaleRow], manifest: dict[str, ManifestRow], resolver: DidResolver) -> list[ManifestRow]:
    """The rows to fetch, each with the host to ask: the planned one where it lists a later rev, else the document's."""
    placed: dict[str, Host] = {}
    waiting = iter(row for row in stale if row.reason != REV or row.host != manifest[row.did].host)

    async def resolve_some() -> None:
        for row in waiting:
            found = row.host
            with suppress(UpstreamError, InvalidDataError):  # as the fetch itself will then say
                found = await named_host(resolver, row.did) or row.host
            if found is not None:
                placed[row.did] = found

    async with asyncio.TaskGroup() as group:
        for _ in range(_RESOLUTIONS_AT_ONCE):
            group.create_task(resolve_some())
    return [replace(manifest[row.did], host=placed.get(row.did, manifest[row.did].host)) for row in stale]
