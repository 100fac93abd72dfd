"""A shard's batches into the warehouse: in wholly, with their row in the ledger, or not at all, and never twice.

Two transactions. The first commits the dictionaries, which are free of content. The second decides for each repository
by the rev rule (a row is written only for a rev above the one held), copies the rows of those not held before, merges
those of the others, and writes the ledger. A kill at any point leaves the shard as it was.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.dictionaries import DictionaryWriter
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRanges
from zeppelin_pipeline.warehouse.keyed_shard import KeyedShard
from zeppelin_pipeline.warehouse.merge import Changes, Merge
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.rows import repo_rows, without
from zeppelin_pipeline.warehouse.set_aside import rejected_by_reason, set_aside_rows, spoiled_repositories
from zeppelin_pipeline.warehouse.tables import TABLES

#: What is written of the accounts of a load, in this order.
_ACCOUNT_QUERIES: Final = (
    "mark_repositories",
    "hold_repositories",
    "note_repositories",
    "upsert_identities",
    "complete_identities",
)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load did.

    Attributes:
        shard: its key.
        fingerprint: of the content that is in now.
        is_skipped: it was in already.
        rows: of the shard, by table.
        rejected: entries set aside by reason: invalid records (kept in the table `record`) and whole repositories.
        entries: record entries of the shard's repositories: the sum of `rows` and `quarantined`.
        quarantined: entries of the repositories set aside whole.
        changes: rows written or deleted now, and those that were held as they are; repositories of which this rev or a
            newer one is held have no part in it.
        seconds: taken.
    """

    shard: str
    fingerprint: str
    is_skipped: bool
    rows: dict[str, int]
    rejected: dict[str, int]
    entries: int
    quarantined: int
    changes: Changes
    seconds: float

    @property
    def copied(self) -> int:
        """Rows written now; fewer than the sum of `rows` where newer revs were held, or records had not changed."""
        return self.changes.written


def load_shard(
    connection: Connection[TupleRow],
    batches: ShardBatches,
    *,
    anew: bool = False,
    report: Callable[[str, int], None] | None = None,
) -> LoadResult:
    """Load a shard; a no-op when the ledger has its fingerprint.

    Repositories at the rev that is held are left alone, unless another version of extraction made their rows.

    Args:
        connection: not in a transaction.
        batches: of the shard.
        anew: compare every repository at the rev that is held, whatever the ledger says: mends rows that were damaged.
        report: told of each table when its rows are in, with their number.

    Raises:
        CorruptStateError: the batches contradict themselves; nothing was written.
    """
    started = time.monotonic()
    with connection.transaction():
        known, _ = _ledger_entry(connection, batches, started)
    if known is not None and not anew:
        return known
    keyed, spoiled = _prepare(connection, batches)
    with connection.transaction():
        connection.execute(load_queries()["lock_shard"], {"shard": batches.shard})
        known, version = _ledger_entry(connection, batches, started)  # another load may have ended while we waited
        if known is not None and not anew:
            return known
        load = _Load(connection, keyed, spoiled, batches.shard)
        return load.run(started, report, anew=anew or version not in {None, batches.version})


def load_repositories(connection: Connection[TupleRow], batches: ShardBatches) -> LoadResult:
    """Merge repositories that were fetched by themselves: as `load_shard`, but each stays in the shard that it is in.

    The ledger, which accounts for what whole shards had, is not written.

    Args:
        connection: not in a transaction.
        batches: of the repositories; the name of their shard says nothing.
    """
    started = time.monotonic()
    keyed, spoiled = _prepare(connection, batches)
    with connection.transaction():
        load = _Load(connection, keyed, spoiled, None)
        return load.run(started, None, anew=False)


def _prepare(connection: Connection[TupleRow], batches: ShardBatches) -> tuple[KeyedShard, dict[str, str]]:
    """Commits the dictionaries; gives the rows in keys, and what collided by the DID of each repository it spoils."""
    keys = BatchKeys(read_key_space(connection))
    connection.commit()
    keyed = KeyedShard(batches, keys)
    with connection.transaction():
        writer = DictionaryWriter(connection, keys)
        keyed.note_texts(writer)
        collisions = writer.publish()
    return keyed, spoiled_repositories(batches, collisions)


def _ledger_entry(
    connection: Connection[TupleRow], batches: ShardBatches, started: float
) -> tuple[LoadResult | None, int | None]:
    """What the ledger says of these very batches, and which version it has of the shard; each None where nothing."""
    row = connection.execute(load_queries()["loaded_shard"], {"shard": batches.shard}).fetchone()
    if row is None:
        return None, None
    fingerprint, rows, rejected, entries, quarantined, version = row
    if fingerprint != batches.fingerprint:
        return None, version
    known = LoadResult(
        shard=batches.shard,
        fingerprint=fingerprint,
        is_skipped=True,
        rows=rows,
        rejected=rejected,
        entries=entries,
        quarantined=quarantined,
        changes=Changes(),
        seconds=time.monotonic() - started,
    )
    return known, version


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Whose rows are taken, by DID.

    Attributes:
        copied: those whose rows are copied straight in; None when it is all repositories, as in a first load.
        merged: those whose rows are merged with what is held.
    """

    copied: list[str] | None = None
    merged: list[str] = field(default_factory=list)


class _Load:
    """The second transaction of a load."""

    def __init__(
        self,
        connection: Connection[TupleRow],
        keyed: KeyedShard,
        spoiled: Mapping[str, str],
        shard: str | None,
    ) -> None:
        self._shard = shard
        self._keyed = keyed
        self._connection = connection
        self._keys = keyed.keys
        self._batches = keyed.batches
        self._spoiled = spoiled
        self._spoiled_dids = pa.array(list(spoiled), pa.string())
        self._queries = load_queries()
        self._dirty = DirtyRanges()
        self._merge = Merge(connection, self._dirty)
        self._changes = Changes()

    def run(self, started: float, report: Callable[[str, int], None] | None, *, anew: bool) -> LoadResult:
        """All of it, in the caller's transaction."""
        chosen = self._choose(anew=anew)
        rows: dict[str, int] = {}
        for dataset, table in TABLES.items():
            rows[table.table], changes = self._load_dataset(dataset, chosen)
            self._changes += changes
            if report:
                report(table.table, changes.written)
        aside = self._write_quarantine()
        for query in _ACCOUNT_QUERIES:
            self._execute(query)
        if chosen.merged:
            self._merge.end()
        self._dirty.mark(self._connection)
        result = LoadResult(
            shard=self._batches.shard,
            fingerprint=self._batches.fingerprint,
            is_skipped=False,
            rows=rows,
            rejected=rejected_by_reason(self._batches, self._spoiled, aside),
            entries=self._batches.entries,
            quarantined=int(pc.sum(aside["records"]).as_py() or 0),
            changes=self._changes,
            seconds=time.monotonic() - started,
        )
        if self._shard is not None:
            self._write_ledger(result)
        return result

    def _execute(self, query: str, **parameters: object) -> Cursor[TupleRow]:
        return self._connection.execute(self._queries[query], {"shard": self._shard, **parameters})

    def _incoming(self) -> Iterator[pa.RecordBatch]:
        """The repositories, without those that a collision of keys spoiled."""
        for batch in self._batches.read("repo", None):
            yield repo_rows(batch if not self._spoiled else without(batch, self._spoiled_dids), self._keys)

    def _choose(self, *, anew: bool) -> _Chosen:
        """Claim the shard's repositories and decide how the rows of each are taken."""
        self._execute("create_incoming")
        self._execute("create_chosen")
        incoming = copy_batches(self._connection, "incoming", self._incoming())
        claimed = [actor for (actor,) in self._execute("claim_repositories")]
        if len(claimed) == incoming:
            return _Chosen()
        self._execute("choose_repositories", claimed=claimed, anew=anew)
        copied = [did for (did,) in self._execute("copied_repositories", claimed=claimed)]
        merged = [did for (did,) in self._execute("merged_repositories")]
        if merged:
            self._merge.begin()
        return _Chosen(copied, merged)

    def _load_dataset(self, dataset: str, chosen: _Chosen) -> tuple[int, Changes]:
        """Rows of the shard in this dataset, and what was done with them."""
        table = TABLES[dataset]
        rows = 0

        def keyed(owners: list[str] | None) -> Iterator[pa.RecordBatch]:
            nonlocal rows
            rows = 0
            dids = None if owners is None else pa.array(owners, pa.string())
            for held in self._keyed.rows(dataset):
                kept = held.without(self._spoiled_dids) if self._spoiled else held
                rows += len(kept.owners)
                yield (kept if dids is None else kept.only_of(dids)).rows

        changes = Changes()
        if chosen.merged:
            changes += self._merge.merge(table, keyed(chosen.merged))
        if chosen.copied or not chosen.merged:
            watched = self._dirty.watch(table.table, keyed(chosen.copied))
            changes += Changes(created=copy_batches(self._connection, table.table, watched))
        return rows, changes

    def _write_quarantine(self) -> pa.RecordBatch:
        """The repositories set aside whole, by extraction or by a collision of keys; gives their rows."""
        self._execute("clear_live_quarantine" if self._shard is None else "clear_quarantine")
        self._execute("create_set_aside")
        aside = set_aside_rows(self._batches, self._keys, self._spoiled)
        copy_batches(self._connection, "set_aside", [aside])
        self._execute("insert_quarantine")
        return aside

    def _write_ledger(self, result: LoadResult) -> None:
        """The accounts are closed here: what does not add up is not committed."""
        loaded = sum(result.rows.values())
        if result.entries != loaded + result.quarantined:
            raise CorruptStateError(
                f"shard {result.shard}: {result.entries} record entries were extracted, but {loaded} rows"
                f" and {result.quarantined} entries set aside were found in its batches"
            )
        self._execute(
            "write_ledger",
            fingerprint=result.fingerprint,
            rows=Jsonb(result.rows),
            rejected=Jsonb(result.rejected),
            entries=result.entries,
            quarantined=result.quarantined,
            version=self._batches.version,
        )
