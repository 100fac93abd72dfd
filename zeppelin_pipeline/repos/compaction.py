"""The lake made smaller: data of accounts that are hidden or gone, CARs past their time, files that nobody counts.

Whose data goes is what the warehouse says. A shard is only touched when all of its pack is loaded, so that nothing is
lost that is nowhere else; its fingerprint stays, so that nothing is loaded again. Each file is replaced whole, shard
after shard, and an account counts as removed when both its pack and its batches are without it: after a kill the next
run does the rest. Memory is bounded by a row group and a shard's DIDs.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract_delta import REPO, keep_unchanged
from zeppelin_pipeline.repos.extract_output import DEFAULT_LIMITS, ExtractOutput, Limits
from zeppelin_pipeline.repos.marker import Marker, batch_files, read_marker, write_marker
from zeppelin_pipeline.repos.pack import ABSENT, part_identities
from zeppelin_pipeline.repos.pack_cut import PackCut, cut_pack, has_data
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

#: Columns of the dataset `repo` that a removed account keeps.
_KEPT_OF_REPO = ("did", "host", "fetched_at")


@dataclass(frozen=True, slots=True)
class CompactionSettings:
    """What goes, besides the data of accounts that are hidden or gone.

    Attributes:
        keep_cars: how long CARs are kept once their shard is loaded; null keeps them for ever.
        limits: of what is held in memory of batches that are rewritten.
    """

    keep_cars: timedelta | None = None
    limits: Limits = DEFAULT_LIMITS


@dataclass(slots=True)
class CompactionResult:
    """What a run did, and what is left.

    Attributes:
        removed: accounts whose data is out of the lake since this run, by status.
        shards: that were rewritten.
        postponed: shards left for the next run: not wholly loaded, or in use.
        parts: of packs, rewritten.
        bytes_freed: of packs.
        waiting: accounts whose data is still there.
        oldest: when the first of these was seen to be hidden or gone; null when there is none.
        seconds: that the run took.
    """

    removed: Counter[str] = field(default_factory=Counter[str])
    shards: int = 0
    postponed: list[str] = field(default_factory=list[str])
    parts: int = 0
    bytes_freed: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    seconds: float = 0.0


def compact_lake(
    connection: Connection[TupleRow],
    lake: Lake,
    settings: CompactionSettings | None = None,
    *,
    report: Callable[[str], None] = lambda _shard: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> CompactionResult:
    """Removes from the lake what is not to be in it any more.

    Args:
        connection: in autocommit.
        lake: the whole.
        settings: what goes.
        report: told of each shard that was rewritten.
        now: for the ages.
    """
    started = time.monotonic()
    settings = settings or CompactionSettings()
    result = CompactionResult()
    queries = load_queries()
    keys = read_key_space(connection)
    connection.execute(queries["forget_removals"])
    connection.execute(queries["note_removals"])
    loads = {shard: (print_, at) for shard, print_, at in connection.execute(queries["loads"]).fetchall()}
    waiting = {str(shard) for (shard,) in connection.execute(queries["shards_with_removals"])}
    for shard in sorted(waiting | (loads.keys() if settings.keep_cars is not None else set())):
        fingerprint, loaded_at = loads.get(shard, (None, None))
        is_past = settings.keep_cars is not None and loaded_at is not None and now() - loaded_at > settings.keep_cars
        if shard not in waiting and not is_past:
            continue
        removed = dict(connection.execute(queries["removals_of_shard"], {"shard": shard}).fetchall())
        work = _Shard(lake, shard, settings.limits)
        try:
            cut = work.compact(fingerprint, removed, without_cars=is_past)
        except CorruptStateError as error:
            result.postponed.append(f"{shard}: {error}")
            continue
        _mark(connection, keys, removed, now())
        result.removed.update(removed.values())
        result.parts += cut.parts
        result.bytes_freed += cut.bytes_freed
        if cut.parts or work.is_rewritten:
            result.shards += 1
            report(shard)
    result.waiting, result.oldest = oldest_removal(connection)
    result.seconds = time.monotonic() - started
    return result


def oldest_removal(connection: Connection[TupleRow]) -> tuple[int, datetime | None]:
    """Accounts whose data is not known to be out of the lake, and since when the first of them is hidden or gone."""
    row = connection.execute(load_queries()["oldest_removal"]).fetchone()
    return (int(row[0]), row[1]) if row else (0, None)


def _mark(connection: Connection[TupleRow], keys: KeySpace, removed: Mapping[str, str], now: datetime) -> None:
    actors = [keys.actor_id(did) for did in removed]
    connection.execute(load_queries()["mark_removed"], {"actors": actors, "now": now})


class _Shard:
    """One shard's files, locked while they are rewritten."""

    def __init__(self, lake: Lake, shard: str, limits: Limits) -> None:
        self._lake = lake
        self._shard = shard
        self._limits = limits
        self.is_rewritten = False

    def compact(self, loaded: str | None, removed: Mapping[str, str], *, without_cars: bool) -> PackCut:
        """Removes the accounts' data, and all CARs if told.

        Raises:
            CorruptStateError: not all of the pack is loaded, or another process writes to it.
        """
        lake, shard = self._lake, self._shard
        with lake.lock(layout.pack(shard)):
            marker = read_marker(lake, shard)
            if marker is None or marker.result.fingerprint != loaded:
                raise CorruptStateError("not loaded as it is extracted")
            if list(marker.parts) != part_identities(lake, shard):
                raise CorruptStateError("not extracted as it is fetched")
            cut = PackCut()
            if without_cars or has_data(lake, shard, removed):
                cut = cut_pack(lake, shard, removed, without_cars=without_cars)
            repos = self._repos_with_data(marker, removed)
            if repos:
                self._rewrite(marker, repos, removed)
            return cut

    def _repos_with_data(self, marker: Marker, removed: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of the removed accounts' repositories that still say something."""
        if REPO not in marker.paths or not removed:
            return []
        dids = pa.array(list(removed), pa.string())
        with self._lake.open_parquet(marker.paths[REPO]) as file:
            table = file.read()
        rows = table.filter(pc.and_(pc.is_in(table["did"], value_set=dids), pc.not_equal(table["state"], ABSENT)))
        return rows.to_pylist()

    def _rewrite(self, marker: Marker, repos: list[dict[str, Any]], removed: Mapping[str, str]) -> None:
        """The batches anew without the accounts' rows, under other names; then the marker; then the old files go."""
        lake, shard = self._lake, self._shard
        dids = sorted(row["did"] for row in repos)
        named = hashlib.sha256("\n".join([*sorted(marker.paths.values()), *dids]).encode()).hexdigest()[:12]
        with ExtractOutput(lake, shard, named, self._limits) as output:
            kept = keep_unchanged(lake, marker.paths, dids, output)
            for row in repos:
                status = removed[row["did"]]
                emptied = {name: row[name] for name in _KEPT_OF_REPO}
                output.add_repo(emptied | {"state": ABSENT, "status": status, "reason": status, "records": 0})
            files = output.commit()
        result = replace(
            marker.result,
            entries=kept.entries,
            rows={dataset: file.rows for dataset, file in files.items()},
            output_bytes=sum(file.bytes for file in files.values()),
            rejected=dict(sorted(kept.rejected.items())),
            states=dict(sorted((kept.states + Counter({ABSENT: len(repos)})).items())),
        )
        write_marker(lake, shard, replace(marker, result=result, files=batch_files(files, {}), base=None))
        for path in marker.paths.values():
            lake.delete(path)
        self.is_rewritten = True
