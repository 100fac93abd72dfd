"""The texts that a batch of live commits needs keys of, into the dictionaries; committed before its rows (ADR 3).

Most were published by earlier batches of the same writer, which `BatchKeys` remembers: only new ones go to the server.
A batch is small, so they go as parameters: no temporary tables, which the catalogs would pay for at each batch.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.array_parameters import array_parameters
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.dictionaries import (
    ACTOR,
    COLLECTION,
    RECORD_KEY,
    Collision,
    named_texts,
    remember_texts,
)
from zeppelin_pipeline.warehouse.operations import OperationBatch
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.rows import needing, without

_QUERIES: Final = {
    ACTOR: "actors_of_batch",
    RECORD_KEY: "record_keys_of_batch",
    COLLECTION: "collections_of_batch",
}
#: The columns that name a record of an account.
_OF_RECORD: Final = {"rkey": RECORD_KEY, "collection": COLLECTION}


def publish_texts(connection: Connection[TupleRow], keys: BatchKeys, batch: OperationBatch) -> OperationBatch:
    """Fill the dictionaries for a batch, in a transaction of its own.

    Args:
        connection: not in a transaction.
        keys: of the warehouse; whoever takes new texts from its memories publishes them.
        batch: whose texts are needed.

    Returns:
        the batch; without the accounts that need a text whose key another text holds, which are in quarantine then and
        to be fetched again.
    """
    with _noting(keys):
        _look_up(keys, batch)
        new = {dictionary: keys.memories[dictionary].take_new() for dictionary in _QUERIES}
        if not any(len(ids) for ids, _ in new.values()):
            return batch
        with connection.transaction():
            spoiled: dict[str, str] = {}
            for dictionary, (ids, texts) in new.items():
                told = _publish(connection, dictionary, ids, texts)
                if told:
                    spoiled |= _spoiled(batch, dictionary, told)
                    keys.memories[dictionary].forget()  # so that the next who need them are told, too
            if spoiled:
                _set_aside(connection, keys, batch, spoiled)
    return _without(batch, spoiled) if spoiled else batch


@contextmanager
def _noting(keys: BatchKeys) -> Generator[None]:
    """New texts are kept until they are taken; if they are not published after all, nothing is known any more."""
    memories = [keys.memories[dictionary] for dictionary in _QUERIES]
    for memory in memories:
        memory.is_noting = True
    try:
        yield
    except BaseException:
        for memory in memories:
            memory.forget()
        raise
    finally:
        for memory in memories:
            memory.is_noting = False


def _look_up(keys: BatchKeys, batch: OperationBatch) -> None:
    """Have every text of the batch remembered."""
    remember_texts(keys, batch.heads, {"did": ACTOR})
    remember_texts(keys, batch.touched, _OF_RECORD)
    known = {"did", *_OF_RECORD}
    for dataset, rows in batch.rows.items():
        named = named_texts(dataset)
        remember_texts(keys, rows, {column: named[column] for column in named if column not in known})


def _publish(connection: Connection[TupleRow], dictionary: str, ids: pa.Array, texts: pa.Array) -> dict[str, str]:
    """The texts whose key another text holds, each with what is told of it."""
    if not len(ids):
        return {}
    parameters = array_parameters({"ids": ids, "texts": texts})
    connection.execute(load_queries()[f"publish_{_QUERIES[dictionary]}"], parameters)
    rows = connection.execute(load_queries()[f"collided_{_QUERIES[dictionary]}"], parameters)
    return {text: str(Collision(dictionary, text, holder)) for text, holder in rows}


def _spoiled(batch: OperationBatch, dictionary: str, told: Mapping[str, str]) -> dict[str, str]:
    """The accounts whose commits need one of these texts."""
    spoiled: dict[str, str] = {}
    if dictionary == ACTOR:
        spoiled |= {did: told[did] for did in batch.heads["did"].to_pylist() if did in told}
    else:
        texts = batch.touched["rkey" if dictionary == RECORD_KEY else "collection"].to_pylist()
        pairs = zip(batch.touched["did"].to_pylist(), texts, strict=True)
        spoiled |= {did: told[text] for did, text in pairs if text in told}
    for dataset, rows in batch.rows.items():
        for column, of_column in named_texts(dataset).items():
            if of_column == dictionary:
                pairs = zip(*needing(rows, column, pa.array(list(told), pa.string())), strict=True)
                spoiled |= {did: told[text] for did, text in pairs}
    return spoiled


def _set_aside(
    connection: Connection[TupleRow], keys: BatchKeys, batch: OperationBatch, spoiled: Mapping[str, str]
) -> None:
    touched = batch.touched["did"].to_pylist()
    seen = dict(zip(batch.heads["did"].to_pylist(), batch.heads["seen_micros"].to_pylist(), strict=True))
    columns = {
        "actors": [keys.actor_id(did) for did in spoiled],
        "dids": list(spoiled),
        "details": list(spoiled.values()),
        "records": [touched.count(did) for did in spoiled],
        "seen_micros": [seen[did] for did in spoiled],
    }
    connection.execute(load_queries()["quarantine_live"], columns)


def _without(batch: OperationBatch, spoiled: Mapping[str, str]) -> OperationBatch:
    dids = pa.array(list(spoiled), pa.string())
    return replace(
        batch,
        heads=without(batch.heads, dids),
        touched=without(batch.touched, dids),
        rows={dataset: without(rows, dids) for dataset, rows in batch.rows.items()},
    )
