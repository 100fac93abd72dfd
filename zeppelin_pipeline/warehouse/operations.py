"""Live commits into the warehouse, by the hundreds in one transaction of set-based statements.

A commit is taken when its rev is above what is held of its repository; any other changes nothing, so a replay is
harmless. Where it follows on what is held without a gap, the repository is at its rev. Where it does not (nothing is
held yet, or commits between are missing) its records are written all the same, and remembered as being ahead: a
repository that is loaded later leaves them alone, see `merge`. Counts change with the rows, in their transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.ahead import Held, Step, advance
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.count_deltas import COLUMNS, CountDeltas
from zeppelin_pipeline.warehouse.queries import column_list, load_queries
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
_NAMED: Final = frozenset({"app.bsky.actor.profile", "app.bsky.feed.generator", "app.bsky.graph.starterpack"})


@dataclass(frozen=True, slots=True)
class LiveHead:
    """Where a verified commit (or `#sync`) takes a repository.

    Attributes:
        did: whose.
        step: its place in the repository's history.
        commit: the signed block.
        seen_at: when it was received.
    """

    did: str
    step: Step
    commit: bytes
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Touched:
    """A record that a batch sets or deletes, and the last rev that does."""

    did: str
    collection: str
    rkey: str
    rev: int


@dataclass(frozen=True, slots=True)
class OperationBatch:
    """What is applied at once.

    Attributes:
        heads: in order of revs within each account.
        touched: each record once.
        rows: by dataset of the lake, in its schema: the touched records that are there afterwards, as set by that rev.
    """

    heads: Sequence[LiveHead]
    touched: Sequence[Touched]
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


def apply_operations(
    connection: Connection[TupleRow], keys: BatchKeys, batch: OperationBatch, *, most_ahead: int = MOST_AHEAD
) -> ApplyResult:
    """Apply a batch in the caller's transaction; `publish_texts` of it was committed before.

    At most `most_ahead` commits of a repository are remembered while they are ahead of it.

    Raises:
        psycopg.errors.UniqueViolation: the tables hold a record that its repository cannot have; nothing is written.
    """
    return _Application(connection, keys, batch, most_ahead).run()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the commits of one repository come to.

    Attributes:
        actor: its key.
        did: whose.
        floor: the rev up to which all is known already.
        held: after the commits that follow, if there are any; else as before.
        followed: these commits.
        ahead: those that do not follow.
    """

    actor: int
    did: str
    floor: int
    held: Held
    followed: Sequence[LiveHead]
    ahead: Sequence[LiveHead]


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
        outcomes = self._decide()
        floors = {outcome.did: outcome.floor for outcome in outcomes}
        touched = [each for each in self._batch.touched if each.rev > floors[each.did]]
        deleted = self._delete(touched)
        inserted = self._insert(None if len(touched) == len(self._batch.touched) else touched)
        self._deltas.apply(self._connection)
        self._judge(touched)
        self._write_followed([outcome for outcome in outcomes if outcome.followed])
        ahead = [outcome for outcome in outcomes if outcome.ahead]
        if ahead:
            self._write_ahead(ahead, touched)
        taken = sum(len(outcome.followed) + len(outcome.ahead) for outcome in outcomes)
        return ApplyResult(
            commits=taken,
            replayed=len(self._batch.heads) - taken,
            ahead=sum(len(outcome.ahead) for outcome in ahead),
            desynchronized=tuple(outcome.did for outcome in ahead),
            inserted=inserted,
            deleted=deleted,
        )

    def _execute(self, query: str, **parameters: Any) -> list[TupleRow]:
        cursor = self._connection.execute(self._queries[query], parameters)
        return cursor.fetchall() if cursor.description else []

    def _decide(self) -> list[_Outcome]:
        """Lock the repositories, and see which commits follow on what is held of each."""
        heads: defaultdict[str, list[LiveHead]] = defaultdict(list)
        for head in self._batch.heads:
            heads[head.did].append(head)
        actors = {self._keys.actor_id(did): did for did in heads}
        seen_ats = [heads[did][0].seen_at for did in actors.values()]
        self._execute("claim_live_repositories", actors=list(actors), seen_ats=seen_ats)
        return [
            _outcome(actor, actors[actor], Held(rev, data_cid, records), ahead_rev, heads[actors[actor]])
            for actor, rev, data_cid, records, ahead_rev in self._execute("live_repositories", actors=list(actors))
        ]

    def _delete(self, touched: Sequence[Touched]) -> dict[str, int]:
        """Remove the touched records as they were, from wherever they are."""
        if not touched:
            return {}
        actors = [self._keys.actor_id(each.did) for each in touched]
        rkeys = [self._keys.rkey_id(each.rkey) for each in touched]
        by_table: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for each, actor, rkey in zip(touched, actors, rkeys, strict=True):
            if each.collection in _TABLE_OF:
                of_table = by_table[_TABLE_OF[each.collection]]
                of_table[0].append(actor)
                of_table[1].append(rkey)
        deleted = {table: self._delete_typed(table, *columns) for table, columns in by_table.items()}
        collections = [self._keys.collection_id(each.collection) for each in touched]
        cursor = self._connection.execute(
            self._queries["delete_touched_whole"], {"actors": actors, "collections": collections, "rkeys": rkeys}
        )
        deleted["record"] = cursor.rowcount
        return {table: rows for table, rows in deleted.items() if rows}

    def _delete_typed(self, table: str, actors: list[int], rkeys: list[int]) -> int:
        counted = column_list(COLUMNS.get(table, ("actor_id",)), "t")
        query = sql.SQL(self._queries["delete_touched"]).format(table=sql.Identifier(table), counted=counted)
        return self._deltas.add_deleted(table, self._connection.execute(query, {"actors": actors, "rkeys": rkeys}))

    def _insert(self, only: Collection[Touched] | None) -> dict[str, int]:
        """Write the rows of the batch; of the touched records alone, unless that is all."""
        inserted: dict[str, int] = {}
        for dataset, table in TABLES.items():
            batch = self._batch.rows.get(dataset)
            if batch is None:
                continue
            rows = table.to_rows(batch if only is None else _only(batch, table.collection, only), self._keys)
            copied = copy_batches(self._connection, table.table, [rows])
            if copied:
                inserted[table.table] = copied
                self._deltas.add_inserted(table.table, rows)
        return inserted

    def _judge(self, touched: Sequence[Touched]) -> None:
        """See which replies and quotes break a rule now, and by which words posts are found; their counts follow."""
        keys: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for each in touched:
            if each.collection in _JUDGED:
                keys[each.collection].append((self._keys.actor_id(each.did), self._keys.rkey_id(each.rkey)))
        if keys:
            posts, threadgates, postgates = (keys[collection] for collection in _JUDGED)
            judge_changes(self._connection, Changed(posts, threadgates, postgates))
            refresh_posts(self._connection, posts)
        named = {self._keys.actor_id(each.did) for each in touched if each.collection in _NAMED}
        refresh_names(self._connection, named)

    def _write_followed(self, outcomes: Sequence[_Outcome]) -> None:
        if outcomes:
            self._execute(
                "write_live_repositories",
                actors=[outcome.actor for outcome in outcomes],
                revs=[outcome.held.rev for outcome in outcomes],
                data_cids=[outcome.held.data_cid for outcome in outcomes],
                records=[outcome.held.records for outcome in outcomes],
                commits=[outcome.followed[-1].commit for outcome in outcomes],
            )

    def _write_ahead(self, outcomes: Sequence[_Outcome], touched: Iterable[Touched]) -> None:
        commits = [(outcome.actor, head) for outcome in outcomes for head in outcome.ahead]
        self._execute(
            "insert_ahead_commits",
            actors=[actor for actor, _ in commits],
            revs=[head.step.rev for _, head in commits],
            sinces=[head.step.since for _, head in commits],
            prev_data_cids=[head.step.prev_data_cid for _, head in commits],
            data_cids=[head.step.data_cid for _, head in commits],
            is_syncs=[head.step.is_sync for _, head in commits],
            records=[head.step.records for _, head in commits],
            commits=[head.commit for _, head in commits],
        )
        reached = {outcome.did: outcome.held.rev for outcome in outcomes}
        records = [each for each in touched if each.did in reached and each.rev > (reached[each.did] or -1)]
        self._execute(
            "upsert_ahead_records",
            actors=[self._keys.actor_id(each.did) for each in records],
            collections=[self._keys.collection_id(each.collection) for each in records],
            rkeys=[self._keys.rkey_id(each.rkey) for each in records],
            revs=[each.rev for each in records],
        )
        actors = [outcome.actor for outcome in outcomes]
        self._execute("desynchronize_repositories", actors=actors)
        self._execute("cut_ahead", actors=actors, most=self._most_ahead)


def _outcome(actor: int, did: str, held: Held, ahead_rev: int | None, heads: Sequence[LiveHead]) -> _Outcome:
    floor = max(-1 if rev is None else rev for rev in (held.rev, ahead_rev))
    new = [head for head in heads if head.step.rev > floor]
    now, followed = (held, 0) if ahead_rev is not None else advance(held, [head.step for head in new])
    return _Outcome(actor, did, floor, now, new[:followed], new[followed:])


def _only(batch: pa.RecordBatch, collection: str | None, touched: Collection[Touched]) -> pa.RecordBatch:
    """The rows of touched records; seldom needed, when some of a batch was applied before."""
    wanted = {(each.did, each.collection, each.rkey) for each in touched}
    collections = batch["collection"].to_pylist() if collection is None else [collection] * batch.num_rows
    places = zip(batch["did"].to_pylist(), collections, batch["rkey"].to_pylist(), strict=True)
    return batch.filter(pa.array([place in wanted for place in places], pa.bool_()))
