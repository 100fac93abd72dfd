"""Whole repositories merged into tables that hold older revs of them; rows that did not change are not touched.

What is gone is deleted, what changed is replaced, what is new is inserted. A table is read once to compare, whether its
indexes stand or not; what is written is proportional to what differs. What live commits have set above the merged rev
is left alone; where they follow on it without a gap, the repository is at their rev.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import pyarrow as pa
from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.ahead import Held, Step, advance
from zeppelin_pipeline.warehouse.columns import column_list
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRanges, counted_columns, range_numbers
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.rows import TableMap

#: A record keeps the time at which it was first seen as it is, however often it is seen again.
_NOT_COMPARED: Final = "indexed_at"


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of rows: of those that were given, `created`, `updated` or `unchanged`; of those held, `deleted`."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    @property
    def written(self) -> int:
        """Rows that were put into a table."""
        return self.created + self.updated

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.created + other.created,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
        )


class Merge:
    """The merging of the repositories that the temporary table `chosen` names, in the caller's transaction."""

    def __init__(self, connection: Connection[TupleRow], dirty: DirtyRanges) -> None:
        self._connection = connection
        self._dirty = dirty
        self._queries = load_queries()

    def begin(self) -> None:
        """What live commits set up to the revs that are merged is forgotten: the repositories have it."""
        for query in ("forget_ahead_records", "forget_ahead_commits"):
            self._connection.execute(self._queries[query])
        self._connection.execute("ANALYZE chosen")

    def merge(self, table: TableMap, rows: Iterable[pa.RecordBatch]) -> Changes:
        """Make the table's rows of these repositories the given ones."""
        staged = f"staged_{table.table}"
        parts = self._parts(table)
        self._execute("create_staged", parts)
        given = copy_batches(self._connection, staged, rows)
        self._execute("compare_staged", parts)
        counts: dict[str, int] = dict(self._execute("count_changed", parts).fetchall())
        if counts.keys() - {"created"} and table.table == "post":
            self._connection.execute(self._queries["forget_merged_posts"])
        if counts.keys() - {"created"}:
            self._dirty.add_rows(table.table, self._execute("delete_changed", parts))
        if counts.keys() - {"deleted"}:
            self._dirty.add_rows(table.table, self._execute("insert_changed", parts))
        self._connection.execute(sql.SQL("DROP TABLE {staged}, {changed}").format(**parts))
        created, updated = counts.get("created", 0), counts.get("updated", 0)
        return Changes(created, updated, counts.get("deleted", 0), given - created - updated)

    def end(self) -> None:
        """Where live commits are above the revs that are held now: follow them, as far as nothing is missing."""
        actors: list[int] = []
        reached: list[tuple[int, Held]] = []
        broken: list[int] = []
        rows = self._connection.execute(self._queries["merged_ahead_commits"]).fetchall()
        for (actor, *held), commits in groupby(rows, key=lambda row: row[:4]):
            steps = [Step(*row[4:]) for row in commits]
            now, followed = advance(Held(*held), steps)
            actors.append(actor)
            if followed:
                reached.append((actor, now))
            if followed < len(steps):
                broken.append(actor)
        if actors:
            self._settle(actors, reached, broken)

    def _settle(self, actors: list[int], reached: Sequence[tuple[int, Held]], broken: list[int]) -> None:
        execute, queries = self._connection.execute, self._queries
        columns = {
            "actors": [actor for actor, _ in reached],
            "revs": [held.rev for _, held in reached],
            "records": [held.records for _, held in reached],
        }
        execute(queries["advance_repositories"], columns)
        for query in ("forget_reached_records", "forget_reached_commits"):
            execute(queries[query], {"actors": actors})
        execute(queries["desynchronize_repositories"], {"actors": broken})

    def _execute(self, query: str, parts: dict[str, sql.Composable]) -> Cursor[TupleRow]:
        return self._connection.execute(sql.SQL(self._queries[query]).format(**parts))

    def _parts(self, table: TableMap) -> dict[str, sql.Composable]:
        """What the queries of merge.sql leave open."""
        keys = ["actor_id", "rkey"] if table.collection else ["actor_id", "collection", "rkey"]
        cursor = self._connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table.table)))
        names = [column.name for column in cursor.description or ()]
        values = [name for name in names if name not in {*keys, _NOT_COMPARED}]
        return {
            "table": sql.Identifier(table.table),
            "staged": sql.Identifier(f"staged_{table.table}"),
            "changed": sql.Identifier(f"changed_{table.table}"),
            "collection": sql.Literal(WELL_KNOWN_COLLECTIONS[table.collection])
            if table.collection
            else sql.Identifier("t", "collection"),
            "keys": column_list(keys),
            "same_key": sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier("t", key), sql.Identifier("c", key)) for key in keys
            ),
            "old_values": column_list(values, "old"),
            "new_values": column_list(values, "new"),
            "counted": column_list(counted_columns(table.table), "t"),
            "returned": column_list(counted_columns(table.table)),
            "ranges": range_numbers(table.table),
        }
