"""Repositories that were set aside whole, verified again: those that pass now are extracted anew from their kept CARs.

A repository that passes has its row of the pack added to it once more, as a new part: so the next extraction makes just
that repository anew, and the load follows. Where the CAR was given up, it is put on the shard's list of stale ones.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.datetimes import micros_of
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.identity.documents import parse_document
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import STALE
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.extract_verify import verify_repository
from zeppelin_pipeline.repos.load import load_shard_batches
from zeppelin_pipeline.repos.pack import FETCHED, PackRow, PackWriter, pack_rows
from zeppelin_pipeline.repos.replay import ReplayRequest
from zeppelin_pipeline.repos.stale import StaleRow, read_stale
from zeppelin_pipeline.warehouse.queries import load_queries


@dataclass(slots=True)
class RepositoryReplay:
    """What became of the repositories, by the reason that they had.

    Attributes:
        loaded: they verify now, and were extracted and loaded.
        unchanged: they do not verify.
        stale: their CARs are gone: they are on their shards' lists of stale ones, to be fetched again.
    """

    loaded: Counter[str] = field(default_factory=Counter[str])
    unchanged: Counter[str] = field(default_factory=Counter[str])
    stale: Counter[str] = field(default_factory=Counter[str])


def replay_repositories(
    connection: Connection[TupleRow], lake: Lake, request: ReplayRequest, *, now: datetime | None = None
) -> RepositoryReplay:
    """Verifies again what was set aside, shard by shard.

    Args:
        connection: in autocommit.
        lake: with the packs.
        request: which repositories.
        now: when those whose CARs are gone are put on the lists.

    Raises:
        CorruptStateError: another process writes to a shard's pack.
    """
    result = RepositoryReplay()
    chosen = {"reason": request.reason, "shard": request.shard}
    rows = connection.execute(load_queries()["set_aside_repositories"], chosen).fetchall()
    for shard, group in groupby(rows, key=lambda row: str(row[0])):
        reasons = {str(did): str(reason) for _, did, reason in group}
        gone = _replay_shard(lake, shard, reasons, result, is_dry_run=request.is_dry_run)
        if request.is_dry_run:
            continue
        if gone:
            _put_on_list(lake, shard, gone, now or datetime.now(UTC))
        extract_shard(lake, shard)
        load_shard_batches(connection, lake, shard)
    return result


def _replay_shard(
    lake: Lake, shard: str, reasons: dict[str, str], result: RepositoryReplay, *, is_dry_run: bool
) -> list[str]:
    """Adds to the pack what verifies now; gives those without a CAR."""
    gone: list[str] = []
    with lake.lock(layout.pack(shard)):
        writer = PackWriter(lake, shard)
        try:
            for row in pack_rows(lake, shard, dids=reasons):
                if row.state != FETCHED:
                    continue
                reason = reasons[row.did]
                if row.car is None:
                    gone.append(row.did)
                    result.stale[reason] += 1
                elif not _verifies(row):
                    result.unchanged[reason] += 1
                else:
                    result.loaded[reason] += 1
                    if not is_dry_run:
                        writer.add(row)
            writer.flush()
        finally:
            writer.abort()
    return gone


def _verifies(row: PackRow) -> bool:
    try:
        document = parse_document(row.did_document or "", row.did)
        verify_repository(row.car or b"", document, row.former_keys or (), micros_of(row.fetched_at))
    except InvalidDataError:
        return False
    return True


def _put_on_list(lake: Lake, shard: str, dids: list[str], now: datetime) -> None:
    rows = [row for row in read_stale(lake, shard) if row.did not in set(dids)]
    rows += [StaleRow(did, None, "replay", now) for did in dids]
    table = [
        {
            "did": row.did,
            "host": row.host and row.host.key,
            "url": row.host and row.host.url,
            "reason": row.reason,
            "since": row.since,
        }
        for row in sorted(rows, key=lambda row: row.did)
    ]
    lake.write_table(layout.stale(shard), pa.Table.from_pylist(table, STALE), metadata={"shard": shard})
