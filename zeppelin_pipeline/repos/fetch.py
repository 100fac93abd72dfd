"""The fetch of a shard: every repository of its manifest that its pack lacks, each outcome stored with its type.

Each host of a shard has its own workers, its own limits and its own breaker, so that none waits for another. That an
account is gone or not active is believed of the host alone that its DID document names: one that it has left says so
too. Signatures are the extraction's business.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias

from zeppelin_pipeline.atproto.tid import tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.identity.resolver import DidResolver, ResolvedDid
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.download import Download
from zeppelin_pipeline.repos.fetch_outcome import FetchResult, HostBreaker, OutcomeCounts, state_of
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.fetch_threads import RepositoryThreads
from zeppelin_pipeline.repos.manifests import ManifestRow, read_manifest
from zeppelin_pipeline.repos.named_host import named_host
from zeppelin_pipeline.repos.pack import ABSENT, FAILED, FETCHED, PackRow, PackWriter, settled_dids

#: Called with repositories done, repositories to do, and CAR bytes so far.
Progress: TypeAlias = Callable[[int, int, int], None]

_LEAST_WORKERS: Final = 4


async def fetch_shard(
    lake: Lake,
    shard: str,
    clients: HostClients,
    resolver: DidResolver,
    settings: FetchSettings | None = None,
    *,
    progress: Progress = lambda _done, _total, _bytes: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FetchResult:
    """Fetches what the shard's manifest lists and its pack lacks, or holds as failed.

    What is in hand is made durable when the call ends, cancellation and errors included; after a kill at most the last
    part (its size and age are in `PackSettings`) is fetched again.

    Args:
        lake: with the manifest; the pack goes there.
        shard: its key.
        clients: of all hosts.
        resolver: for the accounts' DID documents.
        settings: limits.
        progress: called every `progress_seconds`, and at the end.
        now: the clock that rows are stamped with.

    Returns:
        What this call did; failures of hosts and repositories are counted in it, not raised.

    Raises:
        FileNotFoundError: there is no such shard.
        CorruptStateError: another process writes to the shard's pack.
    """
    manifest = read_manifest(lake, shard)
    with lake.lock(layout.pack(shard)):
        settled = settled_dids(lake, shard)
        waiting = [row for row in manifest if row.did not in settled]
        fetch = RowsFetch(lake, shard, clients, resolver, settings or FetchSettings(), progress, now)
        return await fetch.run(waiting, repos=len(manifest))


@dataclass(frozen=True, slots=True)
class RowsFetch:
    """The fetch of some accounts of a shard, whose pack the caller has locked; arguments as of `fetch_shard`."""

    lake: Lake
    shard: str
    clients: HostClients
    resolver: DidResolver
    settings: FetchSettings
    progress: Progress
    now: Callable[[], datetime]

    async def run(self, waiting: list[ManifestRow], *, repos: int, held: AbstractSet[str] = frozenset()) -> FetchResult:
        """Fetches the accounts and adds their outcomes to the pack.

        Args:
            waiting: whom to ask for, and where.
            repos: accounts that the result is about; those not waiting count as settled before.
            held: DIDs of which the pack has a good outcome: a failure says nothing of these and is counted only.
        """
        started = time.monotonic()
        run = _Run(self, held)
        try:
            await run.fetch(waiting, self.progress)
        finally:
            run.close()
        counts = run.counts
        return FetchResult(
            shard=self.shard,
            repos=repos,
            settled_before=repos - len(waiting),
            fetched=counts.fetched,
            absent=dict(counts.absent),
            failed=dict(counts.failed),
            downloaded_bytes=counts.downloaded_bytes,
            parts=len(run.pack.parts),
            seconds=time.monotonic() - started,
        )


class _Run:
    """One call's state: what is written, what is counted, and the threads that check."""

    def __init__(self, fetch: RowsFetch, held: AbstractSet[str]) -> None:
        settings = fetch.settings
        self.pack = PackWriter(fetch.lake, fetch.shard, settings.pack)
        self.counts = OutcomeCounts()
        self._held = held
        make_breaker = partial(HostBreaker, settings.breaker_failures, settings.breaker_seconds)
        self._breakers: defaultdict[Host, HostBreaker] = defaultdict(make_breaker)
        self._clients = fetch.clients
        self._resolver = fetch.resolver
        self._settings = settings
        self._now = fetch.now
        self._threads = RepositoryThreads(settings.threads, settings.large_bytes)

    async def fetch(self, waiting: list[ManifestRow], progress: Progress) -> None:
        by_host: dict[Host, list[ManifestRow]] = defaultdict(list)
        for row in waiting:
            by_host[row.host].append(row)
        share = max(_LEAST_WORKERS, self._settings.max_in_flight // max(1, len(by_host)))
        ticker = asyncio.create_task(self._tick(len(waiting), progress))
        try:
            async with asyncio.TaskGroup() as group:
                for rows in by_host.values():
                    queue = iter(rows)
                    for _ in range(min(share, self._clients.settings.max_in_flight, len(rows))):
                        group.create_task(self._work(queue))
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
        progress(self.counts.done, len(waiting), self.counts.downloaded_bytes)

    def close(self) -> None:
        """Makes durable what is in hand."""
        self._threads.close()
        self.pack.flush()

    async def _tick(self, total: int, progress: Progress) -> None:
        while True:
            await asyncio.sleep(self._settings.progress_seconds)
            progress(self.counts.done, total, self.counts.downloaded_bytes)
            await self._threads.run(0, self.pack.flush_old)

    async def _work(self, queue: Iterator[ManifestRow]) -> None:
        for row in queue:
            await self._do(row)

    async def _do(self, row: ManifestRow, *, is_followed: bool = False) -> None:
        """Fetches one repository and stores what came of it; an account that has moved is followed, once."""
        client, breaker = self._clients.client(row.host), self._breakers[row.host]
        with Download(row, client, breaker, self._settings, self._threads, self._now) as download:
            outcome = await self._outcome(row, download)
            home = row.host if is_followed or outcome.state != ABSENT else await self._home(row)
            if home == row.host:
                await self._keep(outcome)
                return
        await self._do(replace(row, host=home), is_followed=True)

    async def _keep(self, outcome: PackRow) -> None:
        if outcome.state != FAILED or outcome.did not in self._held:
            await self._threads.run(len(outcome.car or b""), partial(self.pack.add, outcome))
        self.counts.add(outcome)

    async def _home(self, row: ManifestRow) -> Host:
        """The host that speaks for an account: its document's. Where nobody can tell, the one that was asked."""
        with suppress(UpstreamError, InvalidDataError):
            home = await named_host(self._resolver, row.did)
            if home is not None and home != row.host:  # a mirror may not know yet where it has just gone
                home = await named_host(self._resolver, row.did, since=self._now())
            return home or row.host
        return row.host

    async def _outcome(self, row: ManifestRow, download: Download) -> PackRow:
        """One repository's row: its CAR, and then its DID document, so that the key is the newer of the two."""
        rev = found = None
        state, reason, detail = FETCHED, None, None
        try:
            rev, detail = await download.retrying()
            found = await self._document(row.did, rev)
        except UpstreamError as error:
            (state, reason), detail = state_of(error), error.detail or None
        car = None if state == ABSENT else download.car()
        document, former_keys = (None, None) if found is None else (found.text, found.former_keys or None)
        return PackRow(row.did, row.host.key, rev, state, reason, detail, download.asked_at, document, former_keys, car)

    async def _document(self, did: str, rev: str | None) -> ResolvedDid:
        """The account's document, no older than the commit that its key signed."""
        try:
            return await self._resolver.resolve(did, since=None if rev is None else _time_of(rev))
        except (UpstreamError, InvalidDataError) as error:
            reason = error.reason if error.reason.startswith("did-") else f"did-{error.reason}"
            raise UpstreamError(reason, error.detail, is_transient=False) from error


def _time_of(rev: str) -> datetime:
    return datetime.fromtimestamp(tid_micros(tid_to_int(rev)) / 1e6, UTC)
