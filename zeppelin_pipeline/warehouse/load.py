"""A shard's batches into the warehouse: in wholly, with their row in the ledger, or not at all, and never twice.

Two transactions. The first commits the dictionaries, which are free of content. The second decides for each repository
by the rev rule (a row is written only for a rev above the one held), removes what it replaces, copies the rows, and
writes the ledger. A kill at any point leaves the shard as it was.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.dictionaries import Collision, DictionaryWriter
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.rows import TABLES, distinct, only_of, repo_rows, without

KEY_COLLISION: Final = "key-collision"

#: Repositories set aside whole, as the temporary table `set_aside` takes them.
SET_ASIDE: Final = pa.schema(
    [
        ("actor_id", pa.int64()),
        ("did", pa.string()),
        ("host", pa.string()),
        ("scope", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("records", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class ShardBatches:
    """What extraction made of a shard.

    Attributes:
        shard: its key.
        fingerprint: names this content; the same one is never loaded twice.
        entries: record entries of its repositories, those set aside included.
        rejected: of these, how many were set aside, by reason.
        read: the batches of a dataset by its name and, when given, of some columns only.
    """

    shard: str
    fingerprint: str
    entries: int
    rejected: Mapping[str, int]
    read: "Callable[[str, list[str] | None], Iterator[pa.RecordBatch]]"


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
        copied: rows written now; fewer than the sum of `rows` where newer revs were held, or nothing had changed.
        seconds: taken.
    """

    shard: str
    fingerprint: str
    is_skipped: bool
    rows: dict[str, int]
    rejected: dict[str, int]
    entries: int
    quarantined: int
    copied: int
    seconds: float


def load_shard(
    connection: Connection[TupleRow], batches: ShardBatches, *, report: Callable[[str, int], None] | None = None
) -> LoadResult:
    """Load a shard; a no-op when the ledger has its fingerprint.

    Args:
        connection: not in a transaction.
        batches: of the shard.
        report: told of each table when its rows are in, with their number.

    Raises:
        CorruptStateError: the batches contradict themselves; nothing was written.
    """
    started = time.monotonic()
    with connection.transaction():
        known = _ledger_entry(connection, batches, started)
    if known is not None:
        return known
    keys = read_key_space(connection)
    connection.commit()
    with connection.transaction():
        collisions = _publish_dictionaries(connection, keys, batches)
    with connection.transaction():
        connection.execute(load_queries()["lock_shard"], {"shard": batches.shard})
        known = _ledger_entry(connection, batches, started)  # another load may have ended while we waited
        return known or _Load(connection, keys, batches, _spoiled(batches, collisions)).run(started, report)


def _ledger_entry(connection: Connection[TupleRow], batches: ShardBatches, started: float) -> LoadResult | None:
    row = connection.execute(load_queries()["loaded_shard"], {"shard": batches.shard}).fetchone()
    if row is None or row[0] != batches.fingerprint:
        return None
    fingerprint, rows, rejected, entries, quarantined = row
    return LoadResult(
        shard=batches.shard,
        fingerprint=fingerprint,
        is_skipped=True,
        rows=rows,
        rejected=rejected,
        entries=entries,
        quarantined=quarantined,
        copied=0,
        seconds=time.monotonic() - started,
    )


def _publish_dictionaries(connection: Connection[TupleRow], keys: KeySpace, batches: ShardBatches) -> list[Collision]:
    """Every text that the rows will need, in its dictionary; those that cannot be, told."""
    writer = DictionaryWriter(connection, keys)
    for dataset in ("repo", "rejected"):
        for batch in batches.read(dataset, ["did"]):
            writer.add_dids(distinct(batch, ["did"]))
    for dataset, table in TABLES.items():
        columns = [*table.dids, *table.rkeys, *(["collection"] if dataset == "record" else [])]
        for batch in batches.read(dataset, columns):
            writer.add_batch(dataset, batch)
    return writer.publish()


def _spoiled(batches: ShardBatches, collisions: list[Collision]) -> dict[str, str]:
    """The repositories that need a text whose key another holds, each with that text: they are set aside whole."""
    if not collisions:
        return {}
    texts = pa.array([collision.text for collision in collisions], pa.string())
    spoiled: dict[str, str] = {}
    for dataset in (*TABLES, "repo"):
        for batch in batches.read(dataset, None):
            names = [name for name in batch.schema.names if name.endswith(("did", "rkey", "collection"))]
            for name in names:
                hits = batch.filter(pc.is_in(batch[name].cast(pa.string()), value_set=texts))
                spoiled |= dict(zip(hits["did"].to_pylist(), hits[name].to_pylist(), strict=True))
    return spoiled


class _Load:
    """The second transaction of a load."""

    def __init__(
        self, connection: Connection[TupleRow], keys: KeySpace, batches: ShardBatches, spoiled: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._batches = batches
        self._spoiled = spoiled
        self._spoiled_dids = pa.array(list(spoiled), pa.string())
        self._queries = load_queries()
        self._rejected = dict(batches.rejected)

    def run(self, started: float, report: Callable[[str, int], None] | None) -> LoadResult:
        """All of it, in the caller's transaction."""
        self._execute("create_incoming")
        copy_batches(self._connection, "incoming", (repo_rows(b, self._keys) for b in self._read("repo")))
        self._remove_replaced()
        chosen = self._chosen()
        rows: dict[str, int] = {}
        copied = 0
        for dataset, table in TABLES.items():
            rows[table.table], newly = self._copy_dataset(dataset, chosen)
            copied += newly
            if report:
                report(table.table, newly)
        quarantined = self._write_quarantine()
        for query in ("upsert_repositories", "mark_repositories", "upsert_identities"):
            self._execute(query)
        self._write_ledger(rows, quarantined)
        return LoadResult(
            shard=self._batches.shard,
            fingerprint=self._batches.fingerprint,
            is_skipped=False,
            rows=rows,
            rejected=self._rejected,
            entries=self._batches.entries,
            quarantined=quarantined,
            copied=copied,
            seconds=time.monotonic() - started,
        )

    def _execute(self, query: str) -> None:
        self._connection.execute(self._queries[query], {"shard": self._batches.shard})

    def _read(self, dataset: str) -> Iterator[pa.RecordBatch]:
        """A dataset without the repositories that a collision of keys spoiled."""
        for batch in self._batches.read(dataset, None):
            yield batch if not self._spoiled else without(batch, self._spoiled_dids)

    def _remove_replaced(self) -> None:
        replaced = [actor for (actor,) in self._connection.execute(self._queries["replaced_repositories"])]
        if replaced:
            for table in TABLES.values():
                statement = sql.SQL("DELETE FROM {} WHERE actor_id = ANY(%s)").format(sql.Identifier(table.table))
                self._connection.execute(statement, (replaced,))

    def _chosen(self) -> pa.Array | None:
        """The owners whose rows are copied; None when it is all of them, as in a first load."""
        skipped = self._connection.execute(self._queries["skipped_repositories"]).fetchone()
        if skipped is not None and skipped[0] == 0:
            return None
        new = [did for (did,) in self._connection.execute(self._queries["new_repositories"])]
        return pa.array(new, pa.string())

    def _copy_dataset(self, dataset: str, chosen: pa.Array | None) -> tuple[int, int]:
        """Rows of the shard in this dataset, and how many of them were copied now."""
        table = TABLES[dataset]
        rows = 0

        def keyed() -> Iterator[pa.RecordBatch]:
            nonlocal rows
            for batch in self._read(dataset):
                rows += batch.num_rows
                yield table.to_rows(batch if chosen is None else only_of(batch, chosen), self._keys)

        copied = copy_batches(self._connection, table.table, keyed())
        return rows, copied

    def _write_quarantine(self) -> int:
        """The repositories set aside whole, by extraction or by a collision of keys; gives their record entries."""
        self._execute("clear_quarantine")
        self._execute("create_set_aside")
        aside = self._set_aside_rows()
        copy_batches(self._connection, "set_aside", [aside])
        self._execute("insert_quarantine")
        return int(pc.sum(aside["records"]).as_py() or 0)

    def _set_aside_rows(self) -> pa.RecordBatch:
        rows: list[dict[str, object]] = []
        for batch in self._batches.read("rejected", None):
            rows += map(self._set_aside, batch.filter(pc.equal(batch["scope"], "repository")).to_pylist())
        for batch in self._batches.read("repo", None):
            verified = batch.filter(pc.equal(batch["state"], "synchronized"))
            for row in only_of(verified, self._spoiled_dids).to_pylist():
                collided = {"scope": "key", "reason": KEY_COLLISION, "detail": self._spoiled[row["did"]]}
                rows.append(self._set_aside(row | collided))
                self._rejected[KEY_COLLISION] = self._rejected.get(KEY_COLLISION, 0) + row["records"]
        return pa.RecordBatch.from_pylist(rows, SET_ASIDE)

    def _set_aside(self, row: Mapping[str, object]) -> dict[str, object]:
        kept = {name: row[name] for name in SET_ASIDE.names if name != "actor_id"}
        return {"actor_id": self._keys.actor_id(str(row["did"])), **kept}

    def _write_ledger(self, rows: Mapping[str, int], quarantined: int) -> None:
        """The accounts are closed here: what does not add up is not committed."""
        batches = self._batches
        if batches.entries != sum(rows.values()) + quarantined:
            raise CorruptStateError(
                f"shard {batches.shard}: {batches.entries} record entries were extracted, but {sum(rows.values())} rows"
                f" and {quarantined} entries set aside were found in its batches"
            )
        self._connection.execute(
            self._queries["write_ledger"],
            {
                "shard": batches.shard,
                "fingerprint": batches.fingerprint,
                "rows": Jsonb(dict(rows)),
                "rejected": Jsonb(self._rejected),
                "entries": batches.entries,
                "quarantined": quarantined,
            },
        )
