"""Verified live commits to what the warehouse applies: operations folded by record, the records read into rows.

Rows are what extraction would have made of the same records: one way of reading serves both. Commits come as columns
and stay so; a batch has thousands of them, many times a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.records.pending import Pending, Run, Source
from zeppelin_pipeline.records.sorting import pending_key, read_pending
from zeppelin_pipeline.records.texts import span_column
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys, digests
from zeppelin_pipeline.warehouse.following import HEADS
from zeppelin_pipeline.warehouse.operation_texts import publish_texts
from zeppelin_pipeline.warehouse.operations import (
    MOST_AHEAD,
    TOUCHED,
    ApplyResult,
    OperationBatch,
    apply_operations,
    lock_repositories,
)
from zeppelin_pipeline.warehouse.text_memory import Texts as ArrowTexts

Places: TypeAlias = "npt.NDArray[np.int64]"


def apply_commits(
    connection: Connection[TupleRow],
    keys: BatchKeys,
    commits: pa.RecordBatch,
    *,
    also: Callable[[Connection[TupleRow]], None] | None = None,
    accounts: Sequence[str] = (),
    most_ahead: int = MOST_AHEAD,
) -> ApplyResult:
    """Apply commits in one transaction, the dictionaries in one before it; applying them again changes nothing.

    Args:
        connection: not in a transaction.
        keys: of the warehouse.
        commits: of the schema COMMITS, of any accounts, in the order in which they came.
        also: what is written in the same transaction, as a cursor.
        accounts: further ones, by DID, whose repositories `also` writes to: they are locked together with those of the
            commits, as a load locks its own in one order and may have some of both.
        most_ahead: commits of a repository that are remembered while they are ahead of it.
    """
    batch = publish_texts(connection, keys, read_commits(commits))
    with connection.transaction():
        if accounts:
            lock_repositories(connection, keys, {*batch.heads["did"].to_pylist(), *accounts})
        result = apply_operations(connection, keys, batch, most_ahead=most_ahead)
        if also:
            also(connection)
    return result


def read_commits(commits: pa.RecordBatch) -> OperationBatch:
    """Fold the operations by record, the last wins, and read the records that are there afterwards.

    A commit whose rev is not above those before it of its account is left out: a relay may tell of one again, and what
    came late is found missing by those that follow on it.
    """
    commits = _rising(commits)
    operations = _Operations.of(commits)
    last = operations.last_of_each_record(commits["did"])
    touched = _touched(commits, last)
    return OperationBatch(_heads(commits, operations), touched, _read(commits, last, touched["collection"]))


def _rising(commits: pa.RecordBatch) -> pa.RecordBatch:
    highest: dict[str, int] = {}
    is_rising: list[bool] = []
    for did, rev in zip(commits["did"].to_pylist(), commits["rev"].to_pylist(), strict=True):
        is_rising.append(rev > highest.get(did, -1))
        if is_rising[-1]:
            highest[did] = rev
    return commits if all(is_rising) else commits.filter(pa.array(is_rising, pa.bool_()))


@dataclass(frozen=True, slots=True)
class _Operations:
    """Operations one behind the other, by position.

    Attributes:
        commits: each one's commit.
        keys: `collection/rkey`.
        prev: CIDs before.
        cids: new CIDs.
        blocks: new records.
    """

    commits: Places
    keys: pa.Array
    prev: pa.Array
    cids: pa.Array
    blocks: pa.Array

    @classmethod
    def of(cls, commits: pa.RecordBatch) -> Self:
        """All operations of commits."""
        lists = commits["operations"]
        sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        return cls(np.repeat(np.arange(len(sizes)), sizes), *lists.flatten().flatten())

    def last_of_each_record(self, dids: pa.Array) -> Self:
        """Of the operations on each record the last, in their order."""
        records = zip(dids.take(pa.array(self.commits)).to_pylist(), self.keys.to_pylist(), strict=True)
        places = {record: place for place, record in enumerate(records)}
        return self if len(places) == len(self.keys) else self.take(np.sort(np.array([*places.values()])))

    def take(self, places: Places) -> Self:
        """Some of them."""
        columns = (column.take(pa.array(places)) for column in (self.keys, self.prev, self.cids, self.blocks))
        return type(self)(self.commits[places], *columns)

    def added(self, commits: int) -> Places:
        """How many records more there are after each commit."""
        is_new, is_gone = (column.is_null().to_numpy(zero_copy_only=False) for column in (self.prev, self.cids))
        more = np.bincount(self.commits[is_new], minlength=commits)
        return more - np.bincount(self.commits[is_gone], minlength=commits)


def _heads(commits: pa.RecordBatch, operations: _Operations) -> pa.RecordBatch:
    columns = {
        "prev_data_cid": digests(commits["prev_data"].cast(pa.binary())),
        "data_cid": digests(commits["data"].cast(pa.binary())),
        "records": pa.array(operations.added(commits.num_rows), pa.int64()),
    }
    arrays = [columns[name] if name in columns else commits[name] for name in HEADS.names]
    return pa.RecordBatch.from_arrays(arrays, schema=HEADS)


def _touched(commits: pa.RecordBatch, operations: _Operations) -> pa.RecordBatch:
    of_commits = pa.array(operations.commits)
    keys, slashes = ArrowTexts.of(operations.keys), _slashes(operations.keys)
    starts, ends = _bounds(keys)
    columns = [
        commits["did"].take(of_commits),
        span_column(keys.data, np.stack([starts, slashes], axis=1), pa.string()),
        span_column(keys.data, np.stack([slashes + 1, ends], axis=1), pa.string()),
        commits["rev"].take(of_commits),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=TOUCHED)


def _slashes(keys: pa.Array) -> Places:
    """Where the slash of each key is in the keys' data."""
    starts, _ = _bounds(ArrowTexts.of(keys))
    return starts + pc.find_substring(keys, b"/").to_numpy(zero_copy_only=False)


def _bounds(texts: ArrowTexts) -> tuple[Places, Places]:
    offsets = texts.offsets.astype(np.int64)
    return offsets[:-1], offsets[1:]


def _read(commits: pa.RecordBatch, operations: _Operations, collections: pa.Array) -> dict[str, pa.RecordBatch]:
    """The rows of the records that are there after these operations, by dataset."""
    is_there = pc.and_(operations.cids.is_valid(), operations.blocks.is_valid()).to_numpy(zero_copy_only=False)
    encoded = collections.dictionary_encode()
    waiting: dict[str, list[int]] = {}
    for number, collection in enumerate(encoded.dictionary.to_pylist()):
        waiting.setdefault(pending_key(collection), []).append(number)
    numbers = encoded.indices.to_numpy()
    seen = zip(commits["did"].to_pylist(), commits["seen_micros"].to_pylist(), strict=True)
    sources = [Source(did, "", seen_micros) for did, seen_micros in seen]
    rows: dict[str, list[pa.RecordBatch]] = {}
    for key, of_key in waiting.items():
        places = np.flatnonzero(is_there & np.isin(numbers, of_key))
        if not len(places):
            continue
        pending = _pending(sources, operations.take(places), collections.take(pa.array(places)))
        for dataset, batch in read_pending(key, pending).rows:
            rows.setdefault(dataset, []).append(batch)
    return {dataset: _joined(batches) for dataset, batches in rows.items()}


def _pending(sources: Sequence[Source], operations: _Operations, collections: pa.Array) -> Pending:
    """The new records of operations, each a run of its own, copied by kernels."""
    pending = Pending()
    of_commits = operations.commits.tolist()
    pairs = zip(of_commits, collections.to_pylist(), strict=True)
    pending.runs.extend(Run(sources[commit], collection, 1) for commit, collection in pairs)
    keys, cids, blocks = (
        ArrowTexts.of(column.cast(pa.binary())) for column in (operations.keys, operations.cids, operations.blocks)
    )
    pending.rkeys.append_slices(keys.data, _slashes(operations.keys) + 1, _bounds(keys)[1])
    pending.cids.append_slices(cids.data, *_bounds(cids))
    pending.blocks.append_slices(blocks.data, *_bounds(blocks))
    return pending


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch; dictionaries are unified, and batches that have the same become one without a copy of it."""
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
