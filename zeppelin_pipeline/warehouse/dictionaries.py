"""The dictionaries of the warehouse (accounts, record keys, collections): filled before the rows that use them.

They are free of content and the same for every loader, so they are committed ahead of the rows: a transaction that
held them until its end would make loaders wait for each other. Rows go in sorted by id, so two loaders cannot deadlock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.tables import TABLES


@dataclass(frozen=True, slots=True)
class Collision:
    """A text whose key belongs to another text already; nothing that needs it can be loaded."""

    dictionary: str
    text: str
    holder: str

    def __str__(self) -> str:
        """What is told of it."""
        return f"{self.text} has the key of {self.holder}"


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


def remember_texts(keys: BatchKeys, batch: pa.RecordBatch, named: Mapping[str, str]) -> None:
    """Have every text of the columns that are named remembered, each by its dictionary's memory."""
    to_keys = {ACTOR: keys.actor_ids, RECORD_KEY: keys.rkey_ids, COLLECTION: keys.collection_ids}
    for column, dictionary in named.items():
        texts = batch[column]
        to_keys[dictionary](texts.flatten() if pa.types.is_list(texts.type) else texts)


class DictionaryWriter:
    """Collects the texts of a load in temporary tables, batch by batch, then publishes them."""

    def __init__(self, connection: Connection[TupleRow], keys: BatchKeys) -> None:
        self._connection = connection
        self._keys = keys
        for dictionary, column in _TEXT_COLUMNS.items():
            keys.memories[dictionary].is_noting = True
            connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} (id bigint NOT NULL, {} text NOT NULL) ON COMMIT DROP").format(
                    sql.Identifier(f"new_{dictionary}"), sql.Identifier(column)
                )
            )

    def add_batch(self, batch: pa.RecordBatch, named: Mapping[str, str]) -> None:
        """Every text of a batch in the columns that are named, each with its dictionary."""
        remember_texts(self._keys, batch, named)
        self.write_new()

    def publish(self) -> list[Collision]:
        """Insert what is new, in order of id; the caller commits.

        Returns:
            The texts whose key another text holds.
        """
        queries = load_queries()
        collisions: list[Collision] = []
        for dictionary in _TEXT_COLUMNS:
            self._keys.memories[dictionary].is_noting = False
            self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(f"new_{dictionary}")))
            self._connection.execute(queries[f"publish_{dictionary}"])
            rows = self._connection.execute(queries[f"collided_{dictionary}"])
            collisions += [Collision(dictionary, text, holder) for text, holder in rows]
        return collisions

    def write_new(self) -> None:
        """Writes down the texts that keys were made for since this was done last."""
        for dictionary, column in _TEXT_COLUMNS.items():
            ids, texts = self._keys.memories[dictionary].take_new()
            copy_batches(self._connection, f"new_{dictionary}", [pa.record_batch({"id": ids, column: texts})])
