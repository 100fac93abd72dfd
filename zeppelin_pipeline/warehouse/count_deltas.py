"""By how much counts change with the rows that one transaction inserts and deletes; exact, for live operations.

Counts of posts and accounts are changed at once; those of other records have their ranges marked.

Where an account counts once however often it does a thing (likes, reposts, follows), the difference is taken of pairs:
how many such rows the pair has now, and so had before. The rows of an account are written by one transaction at a time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import TupleRow

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
_POST_COUNTS: Final = ("likes", "reposts", "replies", "quotes")
_ACTOR_COUNTS: Final = ("followers", "follows", "posts")


class CountDeltas:
    """Collects the rows of one transaction; `apply` then writes what they change, after all of them are written."""

    def __init__(self) -> None:
        self._rows: dict[str, Counter[tuple[Any, ...]]] = {table: Counter() for table in COLUMNS}

    def add_deleted(self, table: str, rows: Iterable[Sequence[Any]]) -> int:
        """Rows that were deleted, each with the table's COLUMNS; gives how many."""
        count = 0
        counted = self._rows.get(table)
        for row in rows:
            count += 1
            if counted is not None:
                counted[tuple(row)] -= 1
        return count

    def add_inserted(self, table: str, batch: pa.RecordBatch) -> None:
        """Rows that were inserted, as the table has them."""
        if table in COLUMNS:
            columns = (batch[name].to_pylist() for name in COLUMNS[table])
            self._rows[table].update(zip(*columns, strict=True))

    def apply(self, connection: Connection[TupleRow]) -> None:
        """Writes the counts, in the transaction of the rows."""
        posts: dict[tuple[int, int], Counter[str]] = {}
        actors: dict[int, Counter[str]] = {}
        for name, table in (("likes", "like"), ("reposts", "repost")):
            for actor, rkey, delta in self._engagement(connection, table):
                posts.setdefault((actor, rkey), Counter())[name] += delta
        for follower, subject, delta in self._follows(connection):
            actors.setdefault(subject, Counter())["followers"] += delta
            actors.setdefault(follower, Counter())["follows"] += delta
        for (author, parent, parent_rkey, quote, quote_rkey, collection), net in self._net("post"):
            actors.setdefault(author, Counter())["posts"] += net
            if parent is not None:
                posts.setdefault((parent, parent_rkey), Counter())["replies"] += net
            if quote is not None and collection == _POST:
                posts.setdefault((quote, quote_rkey), Counter())["quotes"] += net
        _write_posts(connection, posts)
        _write_actors(connection, actors)
        self._mark_records(connection)

    def _mark_records(self, connection: Connection[TupleRow]) -> None:
        """Marks the ranges of what is liked but no post, of lists, and of starter packs: rare, and recomputed."""
        likes = ((subject, collection) for (_, subject, _, collection), _ in self._net("like"))
        others = {subject for subject, collection in likes if subject and collection not in {None, _POST}}
        dirty = DirtyRanges()
        lists = {owner for (owner, _, _), _ in self._net("list_item")}
        packs = {owner for (owner, _), _ in self._net("profile") if owner is not None}
        dirty.add_accounts("record_counts", others | lists | packs)
        dirty.mark(connection)

    def _net(self, table: str) -> list[tuple[tuple[Any, ...], int]]:
        """Rows that came more often than they went, or the other way round."""
        return [(row, net) for row, net in self._rows[table].items() if net]

    def _engagement(self, connection: Connection[TupleRow], table: str) -> list[tuple[int, int, int]]:
        pairs = [
            (subject, rkey, actor, net)
            for (actor, subject, rkey, collection), net in self._net(table)
            if collection == _POST and subject is not None
        ]
        if not pairs:
            return []
        columns = _columns(("subject_actors", "subject_rkeys", "actors", "nets"), pairs)
        query = sql.SQL(load_queries()["engagement_deltas"]).format(table=sql.Identifier(table))
        return connection.execute(query, columns).fetchall()

    def _follows(self, connection: Connection[TupleRow]) -> list[tuple[int, int, int]]:
        pairs = [(*pair, net) for pair, net in self._net("follow")]
        if not pairs:
            return []
        columns = _columns(("actors", "subject_actors", "nets"), pairs)
        return connection.execute(load_queries()["follow_deltas"], columns).fetchall()


def _write_posts(connection: Connection[TupleRow], deltas: dict[tuple[int, int], Counter[str]]) -> None:
    changed = [
        (*key, *(counts[name] for name in _POST_COUNTS)) for key, counts in deltas.items() if any(counts.values())
    ]
    if changed:
        columns = _columns(("actors", "rkeys", *_POST_COUNTS), changed)
        connection.execute(load_queries()["add_post_counts"], columns)


def _write_actors(connection: Connection[TupleRow], deltas: dict[int, Counter[str]]) -> None:
    changed = [
        (key, *(counts[name] for name in _ACTOR_COUNTS)) for key, counts in deltas.items() if any(counts.values())
    ]
    if changed:
        columns = _columns(("actors", *_ACTOR_COUNTS), changed)
        connection.execute(load_queries()["add_actor_counts"], columns)


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
