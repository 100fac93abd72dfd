"""Records that were set aside, validated again from the bytes that were kept: those that pass now go to their tables.

For the day after a validator was mended: nothing is fetched or extracted. Records are read in pages, in order of their
keys, and each page's moves are one transaction with the ledger's: after a kill the next call does what is left, as what
was moved is set aside no more.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.datetimes import micros_of
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.records.pending import Pending, Source
from zeppelin_pipeline.records.registry import FAMILIES, WHOLE
from zeppelin_pipeline.records.sorting import pending_key, read_pending
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.dictionaries import DictionaryWriter, named_texts
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRanges
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, tid_of_key
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.tables import TABLES

#: Records moved in one transaction; each has at most 1,000,000 bytes.
PAGE_RECORDS: Final = 500
_LOWEST: Final = -(1 << 63)

_Key = tuple[int, int, int]
"""Of a record: actor_id, collection, rkey."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Which records: those of a reason, of a shard, or all that are set aside; a dry run changes nothing."""

    reason: str | None = None
    shard: str | None = None
    is_dry_run: bool = False


@dataclass(slots=True)
class ReplayResult:
    """What became of the records, by the reason that they had.

    Attributes:
        moved: they pass now, and are in their tables.
        renamed: they fail for another reason now, which they have.
        unchanged: they fail as they did.
        left: somebody else wrote them meanwhile, or their texts collide with others' keys.
    """

    moved: Counter[str] = field(default_factory=Counter[str])
    renamed: Counter[str] = field(default_factory=Counter[str])
    unchanged: Counter[str] = field(default_factory=Counter[str])
    left: Counter[str] = field(default_factory=Counter[str])


def replay_records(connection: Connection[TupleRow], request: ReplayRequest) -> ReplayResult:
    """Validates again what was set aside.

    Args:
        connection: in autocommit.
        request: which records.
    """
    keys = BatchKeys(read_key_space(connection))
    result = ReplayResult()
    for page in _pages(connection, request):
        verdicts = _judge(page)
        if request.is_dry_run:
            _count(page, verdicts, result)
        else:
            left = _Move(connection, keys, page, verdicts).run()
            _count(page, verdicts, result, left)
    return result


@dataclass(frozen=True, slots=True)
class _SetAside:
    """One record as it is kept."""

    key: _Key
    did: str
    nsid: str
    rkey: str
    reason: str
    indexed_at: datetime
    raw: bytes
    shard: str


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """What validation says now of a page's records.

    Attributes:
        rows: valid ones of collections with tables of their own, by dataset.
        datasets: the dataset of each valid record, `record` for those that are kept whole.
        reasons: of the others.
    """

    rows: Mapping[str, list[pa.RecordBatch]]
    datasets: Mapping[_Key, str]
    reasons: Mapping[_Key, str]


def _pages(connection: Connection[TupleRow], request: ReplayRequest) -> Iterator[list[_SetAside]]:
    after: _Key = (_LOWEST, _LOWEST, _LOWEST)
    while True:
        actor, collection, rkey = after
        rows = connection.execute(
            load_queries()["set_aside_records"],
            {
                "reason": request.reason,
                "shard": request.shard,
                "limit": PAGE_RECORDS,
                "actor": actor,
                "collection": collection,
                "rkey": rkey,
            },
        ).fetchall()
        if not rows:
            return
        yield [_record(row) for row in rows]
        after = rows[-1][:3]


def _record(row: tuple[Any, ...]) -> _SetAside:
    actor, collection, rkey, did, nsid, text, reason, indexed_at, raw, shard = row
    if text is None and rkey < 0:
        raise CorruptStateError(f"the record key {rkey} has no text in record_key")
    rkey_text = tid_of_key(rkey) if text is None else text
    return _SetAside((actor, collection, rkey), did, nsid, rkey_text, reason, indexed_at, bytes(raw), shard)


def _judge(page: list[_SetAside]) -> _Verdicts:
    rows: defaultdict[str, list[pa.RecordBatch]] = defaultdict(list)
    datasets: dict[_Key, str] = {}
    reasons: dict[_Key, str] = {}
    by_collection: defaultdict[str, list[_SetAside]] = defaultdict(list)
    for record in page:
        by_collection[record.nsid].append(record)
    for nsid, records in by_collection.items():
        read = read_pending(pending_key(nsid), _pending(records))
        for dataset, batch in read.rows:
            if dataset != WHOLE:
                rows[dataset].append(batch)
        reasons |= {records[fault.position].key: fault.reason for fault in read.faults}
        valid = FAMILIES[nsid].dataset if nsid in FAMILIES else WHOLE
        datasets |= {record.key: valid for record in records if record.key not in reasons}
    return _Verdicts(rows, datasets, reasons)


def _pending(records: list[_SetAside]) -> Pending:
    pending = Pending()
    for record in records:
        # indexed_at of a record that is kept whole is when its repository was fetched.
        source = Source(record.did, "", micros_of(record.indexed_at))
        pending.add(source, record.nsid, [record.rkey.encode()], [cid_of(record.raw)], [record.raw])
    return pending


def _count(
    page: list[_SetAside], verdicts: _Verdicts, result: ReplayResult, left: AbstractSet[_Key] = frozenset()
) -> None:
    for record in page:
        reason = verdicts.reasons.get(record.key)
        if record.key in left:
            result.left[record.reason] += 1
        elif reason is None:
            result.moved[record.reason] += 1
        elif reason == record.reason:
            result.unchanged[record.reason] += 1
        else:
            result.renamed[record.reason] += 1


class _Move:
    """One page's moves: the dictionaries first, as in a load, then rows and ledger in one transaction."""

    def __init__(
        self, connection: Connection[TupleRow], keys: BatchKeys, page: list[_SetAside], verdicts: _Verdicts
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._page = page
        self._verdicts = verdicts
        self._queries = load_queries()

    def run(self) -> set[_Key]:
        """All of it; gives the records that could not be moved."""
        moving = [record for record in self._page if self._verdicts.datasets.get(record.key, WHOLE) != WHOLE]
        if not self._publish():
            return {record.key for record in self._page}
        with self._connection.transaction():
            taken = self._take(moving)
            self._insert(taken)
            self._rename()
            self._correct_ledger(taken)
        return {record.key for record in moving} - taken

    def _publish(self) -> bool:
        """Every text that the rows need, in its dictionary; false when a key is another text's."""
        with self._connection.transaction():
            writer = DictionaryWriter(self._connection, self._keys)
            for dataset, batches in self._verdicts.rows.items():
                for batch in batches:
                    writer.add_batch(batch, named_texts(dataset))
            return not writer.publish()

    def _take(self, moving: list[_SetAside]) -> set[_Key]:
        digests = [hashlib.sha256(record.raw).digest() for record in moving]
        columns = _columns([record.key for record in moving]) | {"digests": digests}
        return {
            (actor, nsid, rkey)
            for actor, nsid, rkey in self._connection.execute(self._queries["take_set_aside"], columns)
        }

    def _insert(self, taken: set[_Key]) -> None:
        places = {(actor, rkey, collection) for actor, collection, rkey in taken}
        dirty = DirtyRanges()
        for dataset, batches in self._verdicts.rows.items():
            table = TABLES[dataset]
            number = WELL_KNOWN_COLLECTIONS[table.collection or ""]
            for batch in batches:
                rows = table.to_rows(batch, self._keys)
                pairs = zip(rows["actor_id"].to_pylist(), rows["rkey"].to_pylist(), strict=True)
                is_taken = pa.array([(actor, rkey, number) in places for actor, rkey in pairs], pa.bool_())
                copy_batches(self._connection, table.table, dirty.watch(table.table, [rows.filter(is_taken)]))
        dirty.mark(self._connection)

    def _rename(self) -> None:
        """Other reasons for those that fail still, none for the valid ones that are kept whole."""
        renamed: dict[_Key, str | None] = {}
        for record in self._page:
            reason = self._verdicts.reasons.get(record.key)
            is_kept_whole = self._verdicts.datasets.get(record.key) == WHOLE
            if is_kept_whole or reason not in {None, record.reason}:
                renamed[record.key] = reason
        columns = _columns(list(renamed)) | {"reasons": list(renamed.values())}
        self._connection.execute(self._queries["rename_reasons"], columns)

    def _correct_ledger(self, taken: set[_Key]) -> None:
        """The ledger says what a clean load of the same shard would: rows by table, and what is rejected by reason."""
        for shard in sorted({record.shard for record in self._page}):
            entry = self._connection.execute(self._queries["lock_ledger_entry"], {"shard": shard}).fetchone()
            if entry is None:
                continue
            rows, rejected = Counter[str](entry[0]), Counter[str](entry[1])
            for record in self._page:
                dataset = self._verdicts.datasets.get(record.key)
                if record.shard != shard or (dataset not in {None, WHOLE} and record.key not in taken):
                    continue
                rejected[record.reason] -= 1
                if dataset is None:
                    rejected[self._verdicts.reasons[record.key]] += 1
                elif dataset != WHOLE:
                    rows[TABLES[WHOLE].table] -= 1
                    rows[TABLES[dataset].table] += 1
            columns = {"rows": Jsonb(dict(rows)), "rejected": Jsonb({name: n for name, n in rejected.items() if n > 0})}
            self._connection.execute(self._queries["correct_ledger_entry"], {"shard": shard} | columns)


def _columns(keys: list[_Key]) -> dict[str, Any]:
    return {
        "actors": [actor for actor, _, _ in keys],
        "collections": [collection for _, collection, _ in keys],
        "rkeys": [rkey for _, _, rkey in keys],
    }
