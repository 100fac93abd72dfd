"""Which repositories are stale: what the hosts list now against what the warehouse holds. Fetching them is elsewhere.

A repository is stale when a host lists a higher rev of it, when its account's status is another than the one we know,
when its host does not list it any more, or when it could not be had or verified, or was not active, and was last asked
for long ago. (That last look is a getRepo: for an account without a repository its answer is the same error as
getRepoStatus's, and one request less when there is one again.) The stale ones of a shard are in one file; memory is
bounded by a part of the listings, or a shard.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import STALE
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.listing import CompletePass, complete_passes
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.queries import load_queries

_PAGES_AT_ONCE: Final = 200  # 200,000 repositories


@dataclass(frozen=True, slots=True)
class StaleSettings:
    """What counts as stale, and how much of it is taken at once.

    Attributes:
        limit: most repositories, those that were asked for longest ago first.
        min_age: a repository that was asked for less long ago is left, whatever its host lists.
        relook_after: age at which what could not be had, or was not active, is asked for again.
    """

    limit: int = 1_000_000
    min_age: timedelta = timedelta(hours=24)
    relook_after: timedelta = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class StaleResult:
    """What was found.

    Attributes:
        listed: rows of listings that were compared.
        found: stale repositories.
        chosen: of these, how many are in the files: the limit's, or all.
        by_shard: chosen ones of each shard that has any.
        by_reason: of the chosen.
        behind: repositories by the host that lists an older rev than is held; they are not stale, what is held stays.
    """

    listed: int
    found: int
    chosen: int
    by_shard: dict[str, int]
    by_reason: dict[str, int]
    behind: dict[str, int]


@dataclass(frozen=True, slots=True)
class StaleRow:
    """One stale repository, as in the schema `STALE`; `host` is null where no listing says so."""

    did: str
    host: Host | None
    reason: str
    since: datetime


def find_stale(
    connection: Connection[TupleRow], lake: Lake, settings: StaleSettings | None = None, *, now: datetime | None = None
) -> StaleResult:
    """Compares the newest complete listings with the warehouse and writes the stale repositories of each shard.

    Files of shards that have none any more are removed.

    Args:
        connection: not in a transaction.
        lake: with the listings.
        settings: what counts.
        now: for the ages.
    """
    settings = settings or StaleSettings()
    now = now or datetime.now(UTC)
    queries = load_queries()
    passes = complete_passes(lake)
    by_reason: Counter[str] = Counter()
    behind: Counter[str] = Counter()
    by_shard: dict[str, int] = {}
    with connection.transaction():
        keys = BatchKeys(read_key_space(connection))
        connection.execute(queries["create_listed"])
        listed = 0
        for part in _listed_parts(lake, passes, keys):
            listed += copy_batches(connection, "listed", part)
            connection.execute(queries["collect_listed"], {"fetched_before": now - settings.min_age})
            behind.update(dict(connection.execute(queries["behind_listed"]).fetchall()))
            connection.execute(queries["clear_listed"])
        _collect_unlisted(connection, lake, passes, now - settings.min_age)
        connection.execute(queries["collect_due"], {"due_before": now - settings.relook_after})
        row = connection.execute(queries["count_stale"]).fetchone()
        with connection.cursor(name="chosen_stale") as cursor:
            cursor.execute(queries["chosen_stale"].rstrip(";"), {"limit": settings.limit})
            for shard, rows in groupby(cursor, key=lambda row: str(row[0])):
                stale = [_to_file_row(row, passes) for row in rows]
                lake.write_table(layout.stale(shard), pa.Table.from_pylist(stale, STALE), metadata={"shard": shard})
                by_shard[shard] = len(stale)
                by_reason.update(one["reason"] for one in stale)
    for path in set(lake.list(layout.STALE)) - set(map(layout.stale, by_shard)):
        lake.delete(path)
    return StaleResult(listed, row[0] if row else 0, by_reason.total(), by_shard, dict(by_reason), dict(behind))


def _collect_unlisted(
    connection: Connection[TupleRow], lake: Lake, passes: list[CompletePass], fetched_before: datetime
) -> None:
    """Accounts that are missing in the newest complete list of their host."""
    began_at = [datetime.fromisoformat(lake.read_metadata(each.pages[0])["listed_at"]) for each in passes]
    connection.execute(
        load_queries()["collect_unlisted"],
        {
            "hosts": [each.host.key for each in passes],
            "places": list(range(len(passes))),
            "began_at": began_at,
            "fetched_before": fetched_before,
        },
    )


def stale_shards(lake: Lake) -> list[str]:
    """The keys of the shards that have stale repositories, sorted."""
    return sorted(lake.read_metadata(path)["shard"] for path in lake.list(layout.STALE))


def read_stale(lake: Lake, shard: str) -> list[StaleRow]:
    """The stale repositories of a shard; none when there is no file of them."""
    path = layout.stale(shard)
    if not lake.exists(path):
        return []
    with lake.open_parquet(path) as file:
        rows = file.read().to_pylist()
    return [
        StaleRow(row["did"], Host(row["host"], row["url"]) if row["host"] else None, row["reason"], row["since"])
        for row in rows
    ]


def _listed_parts(lake: Lake, passes: list[CompletePass], keys: BatchKeys) -> Iterator[list[pa.RecordBatch]]:
    """The listings' rows as the table `listed` takes them, some pages at a time."""
    part: list[pa.RecordBatch] = []
    for place, each in enumerate(passes):
        for path in each.pages:
            part.append(_listed_rows(lake, path, each.host, place, keys))
            if len(part) == _PAGES_AT_ONCE:
                yield part
                part = []
    if part:
        yield part


def _listed_rows(lake: Lake, path: str, host: Host, place: int, keys: BatchKeys) -> pa.RecordBatch:
    with lake.open_parquet(path) as file:
        page = file.read(["did", "rev", "active"]).combine_chunks()
        listed_at = datetime.fromisoformat((file.metadata.metadata or {})[b"listed_at"].decode())
    count = page.num_rows
    columns = {name: _one_array(page[name]) for name in page.column_names}
    return pa.record_batch(
        {
            "actor_id": keys.actor_ids(columns["did"]),
            "rev": keys.rkey_ids(columns["rev"]),
            "active": columns["active"],
            "host": pa.repeat(host.key, count),
            "place": pa.repeat(pa.scalar(place, pa.int32()), count),
            "listed_at": pa.repeat(pa.scalar(listed_at, pa.timestamp("us", tz="UTC")), count),
        }
    )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.array([], column.type)


def _to_file_row(row: tuple[Any, ...], passes: list[CompletePass]) -> dict[str, Any]:
    _, did, place, reason, since = row
    host = None if place is None else passes[place].host
    return {
        "did": did,
        "host": host and host.key,
        "url": host and host.url,
        "reason": reason,
        "since": since,
    }
