"""By how much counts change with the rows that one transaction inserts and deletes; exact, for live operations.

Counts of posts and accounts are changed at once; those of other records have their ranges marked.

Where an account counts once however often it does a thing (likes, reposts, follows), the difference is taken of pairs:
how many such rows the pair has now, and so had before. The rows of an account are written by one transaction at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.array_parameters import array_parameters
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRanges
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS
from zeppelin_pipeline.warehouse.queries import load_queries

_POST: Final = WELL_KNOWN_COLLECTIONS["app.bsky.feed.post"]

#: The columns from which the counts of a table's rows are made; tables that are not here count for nothing.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "like": ("actor_id", "subject_actor", "subject_rkey", "subject_collection"),
    "repost": ("actor_id", "subject_actor", "subject_rkey", "subject_collection"),
    "post": ("actor_id", "reply_parent_actor", "reply_parent_rkey", "quote_actor", "quote_rkey", "quote_collection"),
    "follow": ("actor_id", "subject_actor"),
    "list_item": ("actor_id", "list_rkey", "subject_actor"),
    "profile": ("pack_actor", "pack_rkey"),
}
_NET: Final = "net"


class CountDeltas:
    """Collects the rows of one transaction; `apply` then writes what they change, after all of them are written."""

    def __init__(self) -> None:
        self._rows: dict[str, list[pa.Table]] = {table: [] for table in COLUMNS}

    def add_deleted(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Rows that were deleted, each with the table's COLUMNS."""
        if table in COLUMNS and rows:
            columns = (pa.array(column, pa.int64()) for column in zip(*rows, strict=True))
            self._add(table, columns, -1)

    def add_inserted(self, table: str, batch: pa.RecordBatch) -> None:
        """Rows that were inserted, as the table has them."""
        if table in COLUMNS:
            self._add(table, (batch[name].cast(pa.int64()) for name in COLUMNS[table]), 1)

    def apply(self, connection: Connection[TupleRow]) -> None:
        """Writes the counts, in the transaction of the rows."""
        net = {table: self._net(table) for table in COLUMNS}
        posts = _of_likes(net["like"], "like") | _of_likes(net["repost"], "repost") | _of_posts(net["post"])
        _execute(connection, "add_post_deltas", posts)
        actors = _of_follows(net["follow"]) | {"authors": net["post"]["actor_id"], "posts": net["post"][_NET]}
        _execute(connection, "add_actor_deltas", actors)
        _mark_records(connection, net)

    def _add(self, table: str, columns: Iterable[pa.Array], net: int) -> None:
        arrays = list(columns)
        arrays.append(pa.repeat(pa.scalar(net, pa.int64()), len(arrays[0])))
        self._rows[table].append(pa.Table.from_arrays(arrays, names=[*COLUMNS[table], _NET]))

    def _net(self, table: str) -> pa.RecordBatch:
        """Rows that came more often than they went, or the other way round."""
        names = [*COLUMNS[table], _NET]
        schema = pa.schema([(name, pa.int64()) for name in names])
        rows = pa.concat_tables(self._rows[table]) if self._rows[table] else schema.empty_table()
        summed = rows.group_by(list(COLUMNS[table]), use_threads=False).aggregate([(_NET, "sum")])
        summed = summed.rename_columns(names)
        return _whole(summed.filter(pc.not_equal(summed[_NET], 0)))


def _whole(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _to_posts(net: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """The rows whose subject, or quote, is a post; where there is none the columns are null, which no filter takes."""
    return net.filter(pc.and_(pc.equal(net[f"{name}_collection"], _POST), net[f"{name}_actor"].is_valid()))


def _of_likes(net: pa.RecordBatch, table: str) -> dict[str, pa.Array]:
    """Pairs of an account and a post that it likes (or reposts)."""
    of_posts = _to_posts(net, "subject")
    return {f"{table}_{name}": of_posts[name] for name in ("subject_actor", "subject_rkey", "actor_id", _NET)}


def _of_posts(net: pa.RecordBatch) -> dict[str, pa.Array]:
    """The posts that are answered and quoted, each with how often more."""
    replies = net.filter(net["reply_parent_actor"].is_valid())
    quotes = _to_posts(net, "quote")
    return {
        "reply_parent_actor": replies["reply_parent_actor"],
        "reply_parent_rkey": replies["reply_parent_rkey"],
        "replies": replies[_NET],
        "quote_actor": quotes["quote_actor"],
        "quote_rkey": quotes["quote_rkey"],
        "quotes": quotes[_NET],
    }


def _of_follows(net: pa.RecordBatch) -> dict[str, pa.Array]:
    return {"followers": net["actor_id"], "subjects": net["subject_actor"], "follow_nets": net[_NET]}


def _execute(connection: Connection[TupleRow], query: str, columns: dict[str, pa.Array]) -> None:
    if any(map(len, columns.values())):
        connection.execute(load_queries()[query], array_parameters(columns))


def _mark_records(connection: Connection[TupleRow], net: Mapping[str, pa.RecordBatch]) -> None:
    """Marks the ranges of what is liked but no post, of lists, and of starter packs: rare, and recomputed."""
    others = net["like"]["subject_actor"].filter(pc.not_equal(net["like"]["subject_collection"], _POST))
    accounts = (others, net["list_item"]["actor_id"], net["profile"]["pack_actor"])
    dirty = DirtyRanges()
    dirty.add_accounts("record_counts", {actor for column in accounts for actor in column.drop_null().to_pylist()})
    dirty.mark(connection)
