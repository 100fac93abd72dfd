"""Live commits into the warehouse, by the thousands in one transaction of set-based statements.

A commit is taken when its rev is above what is held of its repository; any other changes nothing, so a replay is
harmless. Where it follows on what is held without a gap, the repository is at its rev. Where it does not (nothing is
held yet, or commits between are missing) its records are written all the same, and remembered as being ahead: a
repository that is loaded later leaves them alone, see `merge`. Counts change with the rows, in their transaction.

A batch is columns from its frames to the statements' parameters: an object for each commit costs more than its rows.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.array_parameters import array_parameters
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.columns import column_list
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.count_deltas import COLUMNS, CountDeltas
from zeppelin_pipeline.warehouse.following import Outcome, Repositories, decide
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.search import refresh_names, refresh_posts
from zeppelin_pipeline.warehouse.tables import TABLES
from zeppelin_pipeline.warehouse.violations import Changed, judge_changes

_TABLE_OF: Final[dict[str, str]] = {table.collection: table.table for table in TABLES.values() if table.collection}

#: Commits of one repository that are remembered as ahead of it. Hosts that cannot be reached while a relay tells
#: of their accounts would let them grow for ever. Past the bound only a repository of the last of them or a later
#: one is taken.
MOST_AHEAD: Final = 1_000

#: Collections whose records can make a post break a rule, or cease to.
_JUDGED: Final = ("app.bsky.feed.post", "app.bsky.feed.threadgate", "app.bsky.feed.postgate")

#: Collections whose records give names.
_NAMED: Final = ("app.bsky.actor.profile", "app.bsky.feed.generator", "app.bsky.graph.starterpack")

#: Records that a batch sets or deletes, each once, and the last rev that does.
TOUCHED: Final = pa.schema([
    pa.field("did", pa.string(), nullable=False),
    pa.field("collection", pa.string(), nullable=False),
    pa.field("rkey", pa.string(), nullable=False),
    pa.field("rev", pa.int64(), nullable=False),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class OperationBatch:
    """What is applied at once.

    Attributes:
        heads: of the schema HEADS, in order of revs within each account.
        touched: of the schema TOUCHED.
        rows: by dataset of the lake, in its schema: the touched records that are there afterwards, as set by that rev.
    """

    heads: pa.RecordBatch
    touched: pa.RecordBatch
    rows: Mapping[str, pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What became of a batch.

    Attributes:
        commits: that were taken.
        replayed: that were not above what is held.
        ahead: of those taken, that do not follow on what is held.
        desynchronized: accounts of these, to be fetched (again).
        inserted: rows by table; an updated record is one deleted and one inserted.
        deleted: rows by table.
    """

    commits: int
    replayed: int
    ahead: int
    desynchronized: tuple[str, ...]
    inserted: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)


def lock_repositories(connection: Connection[TupleRow], keys: KeySpace, dids: Collection[str]) -> None:
    """Have nobody else write these repositories until the caller's transaction ends; those not yet known are not there.

    All writers lock in one order. Who writes to further repositories than those of the operations locks them all first.
    """
    connection.execute(load_queries()["lock_repositories"], {"actors": [keys.actor_id(did) for did in dids]})


def apply_operations(
    connection: Connection[TupleRow], keys: BatchKeys, batch: OperationBatch, *, most_ahead: int = MOST_AHEAD
) -> ApplyResult:
    """Apply a batch in the caller's transaction; `publish_texts` of it was committed before.

    At most `most_ahead` commits of a repository are remembered while they are ahead of it.

    Raises:
        psycopg.errors.UniqueViolation: the tables hold a record that its repository cannot have; nothing is written.
    """
    if not batch.heads.num_rows:
        return ApplyResult(0, 0, 0, ())
    return _Application(connection, keys, batch, most_ahead).run()


@dataclass(frozen=True, slots=True)
class _Touched:
    """Touched records that are taken, by their keys; `collections` are the NSIDs, one a record."""

    actors: pa.Array
    rkeys: pa.Array
    revs: pa.Array
    collections: pa.Array

    def __len__(self) -> int:
        return len(self.actors)

    def filter(self, mask: pa.Array) -> "_Touched":
        return _Touched(*(each.filter(mask) for each in (self.actors, self.rkeys, self.revs, self.collections)))

    def of(self, collection: str) -> "_Touched":
        return self.filter(pc.equal(self.collections, collection))


class _Application:
    def __init__(
        self, connection: Connection[TupleRow], keys: BatchKeys, batch: OperationBatch, most_ahead: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._batch = batch
        self._most_ahead = most_ahead
        self._queries = load_queries()
        self._deltas = CountDeltas()

    def run(self) -> ApplyResult:
        outcome = self._decide()
        touched, is_all = self._taken(outcome)
        deleted = self._delete(touched)
        inserted = self._insert(None if is_all else touched)
        self._deltas.apply(self._connection)
        self._judge(touched)
        self._write_followed(outcome)
        if len(outcome.ahead):
            self._write_ahead(outcome, touched)
        ahead = self._batch.heads.take(pa.array(outcome.ahead))
        return ApplyResult(
            commits=outcome.taken,
            replayed=self._batch.heads.num_rows - outcome.taken,
            ahead=len(outcome.ahead),
            desynchronized=tuple(dict.fromkeys(ahead["did"].to_pylist())),
            inserted=inserted,
            deleted=deleted,
        )

    def _execute(self, query: str, columns: Mapping[str, pa.Array], **others: Any) -> list[TupleRow]:
        parameters = {**array_parameters(columns), **others}
        cursor = self._connection.execute(self._queries[query], parameters, binary=True)
        return cursor.fetchall() if cursor.description else []

    def _decide(self) -> Outcome:
        """Lock the repositories, and see which commits follow on what is held of each."""
        heads = self._batch.heads
        repositories = Repositories.of(heads, self._keys)
        actors = pa.array(repositories.actors)
        seen_micros = heads["seen_micros"].take(pa.array(repositories.firsts))
        self._execute("claim_live_repositories", {"actors": actors, "seen_micros": seen_micros})
        return decide(heads, repositories, self._execute("live_repositories", {"actors": actors}))

    def _taken(self, outcome: Outcome) -> tuple[_Touched, bool]:
        """The touched records whose commits are taken, and whether that is all of them."""
        batch = self._batch.touched
        actors, revs = self._keys.actor_ids(batch["did"]), batch["rev"]
        touched = _Touched(actors, self._keys.rkey_ids(batch["rkey"]), revs, batch["collection"])
        is_taken = revs.to_numpy() > outcome.floors_of(actors.to_numpy())
        return (touched, True) if is_taken.all() else (touched.filter(pa.array(is_taken)), False)

    def _delete(self, touched: _Touched) -> dict[str, int]:
        """Remove the touched records as they were, from wherever they are."""
        if not len(touched):
            return {}
        deleted: dict[str, int] = {}
        for collection in touched.collections.unique().to_pylist():
            if collection in _TABLE_OF:
                deleted[_TABLE_OF[collection]] = self._delete_typed(_TABLE_OF[collection], touched.of(collection))
        columns = {
            "actors": touched.actors,
            "collections": self._keys.collection_ids(touched.collections),
            "rkeys": touched.rkeys,
        }
        cursor = self._connection.execute(self._queries["delete_touched_whole"], array_parameters(columns))
        deleted["record"] = cursor.rowcount
        return {table: rows for table, rows in deleted.items() if rows}

    def _delete_typed(self, table: str, touched: _Touched) -> int:
        counted = column_list(COLUMNS.get(table, ("actor_id",)), "t")
        query = sql.SQL(self._queries["delete_touched"]).format(table=sql.Identifier(table), counted=counted)
        parameters = array_parameters({"actors": touched.actors, "rkeys": touched.rkeys})
        rows = self._connection.execute(query, parameters, binary=True).fetchall()
        self._deltas.add_deleted(table, rows)
        return len(rows)

    def _insert(self, only: _Touched | None) -> dict[str, int]:
        """Write the rows of the batch; of the touched records alone, unless that is all."""
        inserted: dict[str, int] = {}
        for dataset, table in TABLES.items():
            batch = self._batch.rows.get(dataset)
            if batch is None:
                continue
            rows = table.to_rows(batch, self._keys)
            if only is not None:
                rows = self._only(rows, table.collection, only)
            copied = copy_batches(self._connection, table.table, [rows])
            if copied:
                inserted[table.table] = copied
                self._deltas.add_inserted(table.table, rows)
        return inserted

    def _only(self, rows: pa.RecordBatch, collection: str | None, touched: _Touched) -> pa.RecordBatch:
        """The rows of touched records; seldom needed, when some of a batch was applied before."""
        numbers = self._keys.collection_ids(touched.collections).to_pylist()
        wanted = set(zip(touched.actors.to_pylist(), numbers, touched.rkeys.to_pylist(), strict=True))
        of_rows = (
            rows["collection"].to_pylist()
            if collection is None
            else [self._keys.collection_id(collection)] * rows.num_rows
        )
        places = zip(rows["actor_id"].to_pylist(), of_rows, rows["rkey"].to_pylist(), strict=True)
        return rows.filter(pa.array([place in wanted for place in places], pa.bool_()))

    def _judge(self, touched: _Touched) -> None:
        """See which replies and quotes break a rule now, and by which words posts are found; their counts follow."""
        posts, threadgates, postgates = (_pairs(touched.of(collection)) for collection in _JUDGED)
        if posts or threadgates or postgates:
            judge_changes(self._connection, Changed(posts, threadgates, postgates))
            refresh_posts(self._connection, posts)
        named = touched.filter(pc.is_in(touched.collections, value_set=pa.array(_NAMED)))
        refresh_names(self._connection, set(named.actors.to_pylist()))

    def _write_followed(self, outcome: Outcome) -> None:
        if len(outcome.followed):
            last = self._batch.heads.take(pa.array(outcome.followed))
            columns = {
                "actors": pa.array(outcome.followed_actors),
                "revs": last["rev"],
                "data_cids": last["data_cid"],
                "records": pa.array(outcome.followed_records),
                "commits": last["commit"],
            }
            self._execute("write_live_repositories", columns)

    def _write_ahead(self, outcome: Outcome, touched: _Touched) -> None:
        ahead = self._batch.heads.take(pa.array(outcome.ahead))
        actors = self._keys.actor_ids(ahead["did"])
        columns = {
            "actors": actors,
            "revs": ahead["rev"],
            "sinces": ahead["since"],
            "prev_data_cids": ahead["prev_data_cid"],
            "data_cids": ahead["data_cid"],
            "is_syncs": ahead["is_sync"],
            "records": ahead["records"],
            "commits": ahead["commit"],
        }
        self._execute("insert_ahead_commits", columns)
        desynchronized = actors.unique()
        is_ahead = touched.revs.to_numpy() > outcome.reached_of(touched.actors.to_numpy())
        records = touched.filter(pc.and_(pc.is_in(touched.actors, value_set=desynchronized), pa.array(is_ahead)))
        columns = {
            "actors": records.actors,
            "collections": self._keys.collection_ids(records.collections),
            "rkeys": records.rkeys,
            "revs": records.revs,
        }
        self._execute("upsert_ahead_records", columns)
        self._execute("desynchronize_repositories", {"actors": desynchronized})
        self._execute("cut_ahead", {"actors": desynchronized}, most=self._most_ahead)


def _pairs(touched: _Touched) -> list[tuple[int, int]]:
    return list(zip(touched.actors.to_pylist(), touched.rkeys.to_pylist(), strict=True))
