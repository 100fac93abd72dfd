"""The dictionaries of the warehouse (accounts, record keys, collections): filled before the rows that use them.

They are free of content and the same for every loader, so they are committed ahead of the rows: a transaction that
held them until its end would make loaders wait for each other. Rows go in sorted by id, so two loaders cannot deadlock.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, KeySpace, non_tid_rkeys
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.rows import distinct, texts_of
from zeppelin_pipeline.warehouse.tables import TABLES

#: Texts remembered within a load, so that a popular one is sent once; forgotten all at once above this number.
_REMEMBERED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Collision:
    """A text whose key belongs to another text already; nothing that needs it can be loaded."""

    dictionary: str
    text: str
    holder: str


ACTOR: Final = "actor"
RECORD_KEY: Final = "record_key"
COLLECTION: Final = "collection"

#: Each dictionary's table and its column of texts.
_TEXT_COLUMNS: Final = {ACTOR: "did", RECORD_KEY: "text", COLLECTION: "nsid"}


def named_texts(dataset: str) -> dict[str, str]:
    """The columns of a record dataset whose texts become keys, each with its dictionary; the owner's DID first."""
    table = TABLES[dataset]
    columns = dict.fromkeys(table.dids, ACTOR) | dict.fromkeys(table.rkeys, RECORD_KEY)
    return columns | {"collection": COLLECTION} if dataset == "record" else columns


class DictionaryWriter:
    """Collects the texts of a load in temporary tables, batch by batch, then publishes them."""

    def __init__(self, connection: Connection[TupleRow], keys: KeySpace) -> None:
        self._connection = connection
        self._keys = keys
        self._seen: dict[str, set[str]] = {dictionary: set() for dictionary in _TEXT_COLUMNS}
        for dictionary, column in _TEXT_COLUMNS.items():
            connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} (id bigint NOT NULL, {} text NOT NULL) ON COMMIT DROP").format(
                    sql.Identifier(f"new_{dictionary}"), sql.Identifier(column)
                )
            )

    def add_dids(self, dids: pa.Array) -> None:
        """Accounts that the load names."""
        self._add(ACTOR, dids.to_pylist(), self._keys.actor_id)

    def add_batch(self, dataset: str, batch: pa.RecordBatch) -> None:
        """Every account, record key and collection that a batch of a record dataset names."""
        table = TABLES[dataset]
        self.add_dids(distinct(batch, table.dids))
        for column in table.rkeys:
            self._add(RECORD_KEY, non_tid_rkeys(texts_of(batch[column])), self._keys.text_rkey_id)
        if dataset == "record":
            nsids = (nsid for nsid in batch["collection"].unique().to_pylist() if nsid not in WELL_KNOWN_COLLECTIONS)
            self._add(COLLECTION, nsids, self._keys.collection_id)

    def publish(self) -> list[Collision]:
        """Insert what is new, in order of id; the caller commits.

        Returns:
            The texts whose key another text holds.
        """
        queries = load_queries()
        collisions: list[Collision] = []
        for dictionary in _TEXT_COLUMNS:
            self._connection.execute(queries[f"publish_{dictionary}"])
            rows = self._connection.execute(queries[f"collided_{dictionary}"])
            collisions += [Collision(dictionary, text, holder) for text, holder in rows]
        return collisions

    def _add(self, dictionary: str, texts: Iterable[str], to_key: Callable[[str], int]) -> None:
        seen = self._seen[dictionary]
        if len(seen) > _REMEMBERED:
            seen.clear()
        new = [text for text in texts if text not in seen]
        seen.update(new)
        batch = pa.record_batch(
            {
                "id": pa.array([to_key(text) for text in new], pa.int64()),
                _TEXT_COLUMNS[dictionary]: pa.array(new, pa.string()),
            }
        )
        copy_batches(self._connection, f"new_{dictionary}", [batch])
