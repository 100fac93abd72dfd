"""Verified live commits to what the warehouse applies: operations folded by record, the records read into rows.

Rows are what extraction would have made of the same records: one way of reading serves both.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.atproto.datetimes import time_of
from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.records.pending import Pending, Source
from zeppelin_pipeline.records.sorting import pending_key, read_pending
from zeppelin_pipeline.warehouse.ahead import Step
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.operation_texts import publish_texts
from zeppelin_pipeline.warehouse.operations import (
    MOST_AHEAD,
    ApplyResult,
    LiveHead,
    OperationBatch,
    Touched,
    apply_operations,
)


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """A commit of the firehose, all of it verified; or a `#sync`, which has no operations.

    Attributes:
        did: whose repository.
        rev: the TID's integer.
        since: the rev before it; None for a repository's first.
        prev_data: the root before it, proven by inverting the operations, 36 bytes; None for a `#sync`.
        data: the root, 36 bytes.
        block: the signed commit.
        changes: of records, each key once.
        records: for each change, the new record's bytes; None for a deletion.
        seen_at_micros: when it was received, microseconds since the epoch.
        is_sync: a `#sync`.
    """

    did: str
    rev: int
    since: int | None
    prev_data: bytes | None
    data: bytes
    block: bytes
    changes: Sequence[Change]
    records: Sequence[bytes | None]
    seen_at_micros: int
    is_sync: bool = False


def apply_commits(
    connection: Connection[TupleRow],
    keys: BatchKeys,
    commits: Sequence[LiveCommit],
    *,
    also: Callable[[Connection[TupleRow]], None] | None = None,
    most_ahead: int = MOST_AHEAD,
) -> ApplyResult:
    """Apply commits in one transaction, the dictionaries in one before it; applying them again changes nothing.

    Args:
        connection: not in a transaction.
        keys: of the warehouse.
        commits: of any accounts, in the order in which they came.
        also: what is written in the same transaction, as a cursor.
        most_ahead: commits of a repository that are remembered while they are ahead of it.
    """
    batch = publish_texts(connection, keys, read_commits(commits))
    with connection.transaction():
        result = apply_operations(connection, keys, batch, most_ahead=most_ahead)
        if also:
            also(connection)
    return result


def read_commits(commits: Sequence[LiveCommit]) -> OperationBatch:
    """Fold the operations by record, the last wins, and read the records that are there afterwards.

    A commit whose rev is not above those before it of its account is left out: a relay may tell of one again, and what
    came late is found missing by those that follow on it.
    """
    commits = _rising(commits)
    folded: dict[tuple[str, bytes], tuple[LiveCommit, Change, bytes | None]] = {}
    for commit in commits:
        for change, record in zip(commit.changes, commit.records, strict=True):
            folded[commit.did, change.key] = commit, change, record
    return OperationBatch(
        heads=[_head(commit) for commit in commits],
        touched=[_touched(commit, change.key) for commit, change, _ in folded.values()],
        rows=_read(folded.values()),
    )


def _rising(commits: Sequence[LiveCommit]) -> list[LiveCommit]:
    last: dict[str, int] = {}
    rising: list[LiveCommit] = []
    for commit in commits:
        if commit.rev > last.get(commit.did, -1):
            last[commit.did] = commit.rev
            rising.append(commit)
    return rising


def _head(commit: LiveCommit) -> LiveHead:
    step = Step(
        rev=commit.rev,
        since=commit.since,
        prev_data_cid=None if commit.prev_data is None else commit.prev_data.removeprefix(DAG_CBOR_PREFIX),
        data_cid=commit.data.removeprefix(DAG_CBOR_PREFIX),
        is_sync=commit.is_sync,
        records=sum((change.old_cid is None) - (change.new_cid is None) for change in commit.changes),
    )
    return LiveHead(commit.did, step, commit.block, time_of(commit.seen_at_micros))


def _touched(commit: LiveCommit, key: bytes) -> Touched:
    collection, _, rkey = key.decode().partition("/")
    return Touched(commit.did, collection, rkey, commit.rev)


def _read(operations: Iterable[tuple[LiveCommit, Change, bytes | None]]) -> dict[str, pa.RecordBatch]:
    waiting: dict[str, list[tuple[Source, str, bytes, bytes, bytes]]] = {}
    for commit, change, record in operations:
        if change.new_cid is not None and record is not None:
            prefix, _, rkey = change.key.partition(b"/")
            collection = prefix.decode()
            source = Source(commit.did, "", commit.seen_at_micros)
            of_key = waiting.setdefault(pending_key(collection), [])
            of_key.append((source, collection, rkey, change.new_cid, record))
    rows: dict[str, list[pa.RecordBatch]] = {}
    for key, records in waiting.items():
        pending = Pending()
        pending.add_each(*zip(*records, strict=True))
        for dataset, batch in read_pending(key, pending).rows:
            rows.setdefault(dataset, []).append(batch)
    return {dataset: _joined(batches) for dataset, batches in rows.items()}


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch; dictionaries are unified, and batches that have the same become one without a copy of it."""
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
