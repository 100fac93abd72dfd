"""The shard plan: every listed account in exactly one immutable manifest. Listing and fetching are elsewhere.

A host with many new accounts is cut into shards of its own; the few of small hosts are bundled, each host whole in one
bundle. Accounts already planned stay where they are; new ones go to shards with the next numbers. Each manifest appears
whole, and the plan reads all manifests before it adds to them: after a kill at any point the next call completes it.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import MANIFEST
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.candidates import PLANNED, Candidates, ResolveHost
from zeppelin_pipeline.repos.listing import CompletePass, complete_passes
from zeppelin_pipeline.repos.manifests import file_parts
from zeppelin_pipeline.repos.named_host import named_host

SHARD_REPOS: Final = 10_000
TAIL_LIMIT: Final = 200
TAIL_HOSTS: Final = 50
_PAGES_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The shards' sizes.

    Attributes:
        shard_size: most accounts in a shard of one host; a bundle is closed when it has as many.
        tail_limit: a host with more new accounts than this gets shards of its own.
        tail_hosts: most hosts in a bundle.
    """

    shard_size: int = SHARD_REPOS
    tail_limit: int = TAIL_LIMIT
    tail_hosts: int = TAIL_HOSTS


@dataclass(frozen=True, slots=True)
class Plan:
    """What a planning added.

    Attributes:
        new_shards: keys of the shards, in the order in which they were made.
        new_repos: accounts in them.
        hosts: hosts with a complete listing.
        already_planned: accounts listed that were in a shard before.
        listed_twice: new accounts that more than one host lists.
        unresolved: of these, accounts whose document could not tell: the highest rev won.
        postponed: of these, accounts whose document could not be had for now; they are in no shard yet.
    """

    new_shards: tuple[str, ...]
    new_repos: int
    hosts: int
    already_planned: int
    listed_twice: int
    unresolved: int
    postponed: int


async def plan_shards(
    lake: Lake,
    resolve_current_host: ResolveHost,
    settings: PlanSettings | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Plan:
    """Puts every listed account that is in no shard yet into a new one. One call at a time: see `Lake.lock`.

    Args:
        lake: with listings and the manifests so far.
        resolve_current_host: asked for accounts that more than one host lists.
        settings: the shards' sizes.
        now: the clock that manifests are stamped with.

    Raises:
        CorruptStateError: a manifest of the number that is next exists, or another planning runs.
    """
    settings = settings or PlanSettings()
    with lake.lock(layout.SHARDS), tempfile.TemporaryDirectory(prefix="zeppelin-plan-") as scratch:
        passes = complete_passes(lake)
        manifests = lake.list(layout.SHARDS)
        candidates = Candidates(Path(scratch), sum(each.repos for each in passes))
        _fill(lake, candidates, passes, manifests)
        decision = await candidates.decide([each.host.key for each in passes], resolve_current_host)
        shards = _Shards(lake, [each.host for each in passes], manifests, now())
        for stem, rows in _cut(candidates, passes, decision.repos_by_host, settings):
            shards.write(stem, rows)
    return Plan(
        new_shards=tuple(shards.written),
        new_repos=sum(decision.repos_by_host.values()),
        hosts=len(passes),
        already_planned=decision.already_planned,
        listed_twice=decision.listed_twice,
        unresolved=decision.unresolved,
        postponed=decision.postponed,
    )


def current_host(resolver: DidResolver) -> ResolveHost:
    """The usual way to tell an account's host: the PDS that its DID document names."""

    async def resolve(did: str) -> str | None:
        host = await named_host(resolver, did)
        return None if host is None else host.key

    return resolve


def _fill(lake: Lake, candidates: Candidates, passes: list[CompletePass], manifests: list[str]) -> None:
    for path in manifests:
        dids = _read_frames(lake, [path], ["did"])
        candidates.add(
            dids.with_columns(host=pl.lit(PLANNED), rev=pl.lit(None), active=pl.lit(None), status=pl.lit(None))
        )
    for index, each in enumerate(passes):
        for start in range(0, len(each.pages), _PAGES_AT_ONCE):
            pages = each.pages[start : start + _PAGES_AT_ONCE]
            rows = _read_frames(lake, pages, ["did", "rev", "active", "status"])
            candidates.add(rows.with_columns(host=pl.lit(index)))


def _read_frames(lake: Lake, paths: Iterable[str], columns: list[str]) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    for path in paths:
        with lake.open_parquet(path) as file:
            frames.append(pl.DataFrame(pl.from_arrow(file.read(columns))))
    return pl.concat(frames)


def _cut(
    candidates: Candidates, passes: list[CompletePass], repos: dict[int, int], settings: PlanSettings
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The new shards' stems and rows: the large hosts' in order of their keys, then the bundles."""
    tail: list[int] = []
    for index in sorted(repos):
        if repos[index] <= settings.tail_limit:
            tail.append(index)
            continue
        for rows in _slices(candidates.winners([index]), settings.shard_size):
            yield passes[index].host.key, rows
    for bundle in _bundles(tail, repos, settings):
        yield layout.TAIL, pl.concat(candidates.winners(bundle)).sort("host", "did")


def _slices(frames: Iterable[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of `size`, and the rest."""
    held: pl.DataFrame | None = None
    for frame in frames:
        held = frame if held is None else pl.concat([held, frame])
        while held.height > size:
            yield held.head(size)
            held = held.tail(held.height - size)
    if held is not None:
        yield held


def _bundles(tail: list[int], repos: dict[int, int], settings: PlanSettings) -> Iterator[list[int]]:
    bundle: list[int] = []
    held = 0
    for index in tail:
        if bundle and (len(bundle) == settings.tail_hosts or held + repos[index] > settings.shard_size):
            yield bundle
            bundle, held = [], 0
        bundle.append(index)
        held += repos[index]
    if bundle:
        yield bundle


class _Shards:
    """Writes manifests under the next free numbers."""

    def __init__(self, lake: Lake, hosts: list[Host], manifests: list[str], planned_at: datetime) -> None:
        self.written: list[str] = []
        self._lake = lake
        self._hosts = hosts
        self._planned_at = planned_at
        self._next: dict[str, int] = {}
        for path in manifests:
            segment, number = file_parts(path)
            self._next[segment] = max(self._next.get(segment, 0), number + 1)

    def write(self, stem: str, rows: pl.DataFrame) -> None:
        segment = layout.segment(stem)
        number = self._next.get(segment, 0)
        shard = layout.host_shard(stem, number)
        hosts = [self._hosts[index] for index in rows["host"].to_list()]
        table = rows.with_columns(
            pl.Series("host", [host.key for host in hosts], pl.String),
            pl.Series("url", [host.url for host in hosts], pl.String),
        )
        metadata = {"host": stem, "planned_at": self._planned_at.isoformat()}
        arrow = table.select(MANIFEST.names).to_arrow().cast(MANIFEST)
        try:
            self._lake.write_table(layout.manifest(shard), arrow, metadata=metadata, is_new=True)
        except FileExistsError as error:
            raise CorruptStateError(f"the manifest of {shard} exists; does another planning run?") from error
        self._next[segment] = number + 1
        self.written.append(shard)
