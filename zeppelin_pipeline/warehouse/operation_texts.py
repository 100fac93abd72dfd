"""The texts that a batch of live commits needs keys of, into the dictionaries; committed before its rows (ADR 3).

A batch is small, so its texts go as parameters: no temporary tables, which the catalogs would pay for at each batch.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.dictionaries import ACTOR, COLLECTION, RECORD_KEY, Collision, named_texts
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, KeySpace, tid_key
from zeppelin_pipeline.warehouse.operations import OperationBatch
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.rows import needing, texts_of, without

_QUERIES: Final = {
    ACTOR: "actors_of_batch",
    RECORD_KEY: "record_keys_of_batch",
    COLLECTION: "collections_of_batch",
}


def publish_texts(connection: Connection[TupleRow], keys: KeySpace, batch: OperationBatch) -> OperationBatch:
    """Fill the dictionaries for a batch, in a transaction of its own.

    Returns:
        the batch; without the accounts that need a text whose key another text holds, which are in quarantine then and
        to be fetched again.
    """
    with connection.transaction():
        spoiled: dict[str, str] = {}
        for dictionary, texts in _texts(batch).items():
            told = _publish(connection, dictionary, _keyed(keys, dictionary, texts))
            if told:
                spoiled |= _spoiled(batch, dictionary, told)
        if spoiled:
            _set_aside(connection, keys, batch, spoiled)
    return _without(batch, spoiled) if spoiled else batch


def _texts(batch: OperationBatch) -> dict[str, set[str]]:
    """Every text of the batch, by dictionary."""
    texts: dict[str, set[str]] = {dictionary: set() for dictionary in _QUERIES}
    texts[ACTOR].update(head.did for head in batch.heads)
    texts[RECORD_KEY].update(touched.rkey for touched in batch.touched)
    texts[COLLECTION].update(touched.collection for touched in batch.touched)
    for dataset, rows in batch.rows.items():
        for column, dictionary in named_texts(dataset).items():
            if column not in {"did", "rkey", "collection"}:
                texts[dictionary].update(pc.drop_null(texts_of(rows[column])).to_pylist())
    return texts


def _keyed(keys: KeySpace, dictionary: str, texts: set[str]) -> dict[str, int]:
    """Each text that has a row in its dictionary, with its key."""
    match dictionary:
        case "actor":
            return {text: keys.actor_id(text) for text in texts}
        case "record_key":
            return {text: keys.text_rkey_id(text) for text in texts if tid_key(text) is None}
        case _:
            return {text: keys.collection_id(text) for text in texts if text not in WELL_KNOWN_COLLECTIONS}


def _publish(connection: Connection[TupleRow], dictionary: str, keyed: Mapping[str, int]) -> dict[str, str]:
    """The texts whose key another text holds, each with what is told of it."""
    if not keyed:
        return {}
    parameters = {"ids": list(keyed.values()), "texts": list(keyed)}
    connection.execute(load_queries()[f"publish_{_QUERIES[dictionary]}"], parameters)
    rows = connection.execute(load_queries()[f"collided_{_QUERIES[dictionary]}"], parameters)
    return {text: str(Collision(dictionary, text, holder)) for text, holder in rows}


def _spoiled(batch: OperationBatch, dictionary: str, told: Mapping[str, str]) -> dict[str, str]:
    """The accounts whose commits need one of these texts."""
    spoiled: dict[str, str] = {}
    for head in batch.heads:
        if dictionary == ACTOR and head.did in told:
            spoiled[head.did] = told[head.did]
    for touched in batch.touched:
        text = touched.rkey if dictionary == RECORD_KEY else touched.collection
        if dictionary != ACTOR and text in told:
            spoiled[touched.did] = told[text]
    for dataset, rows in batch.rows.items():
        for column, of_column in named_texts(dataset).items():
            if of_column == dictionary:
                pairs = zip(*needing(rows, column, pa.array(list(told), pa.string())), strict=True)
                spoiled |= {did: told[text] for did, text in pairs}
    return spoiled


def _set_aside(
    connection: Connection[TupleRow], keys: KeySpace, batch: OperationBatch, spoiled: Mapping[str, str]
) -> None:
    touched = Counter(each.did for each in batch.touched)
    seen = {head.did: head.seen_at for head in batch.heads}
    columns = {
        "actors": [keys.actor_id(did) for did in spoiled],
        "dids": list(spoiled),
        "details": list(spoiled.values()),
        "records": [touched[did] for did in spoiled],
        "seen_ats": [seen[did] for did in spoiled],
    }
    connection.execute(load_queries()["quarantine_live"], columns)


def _without(batch: OperationBatch, spoiled: Mapping[str, str]) -> OperationBatch:
    dids = pa.array(list(spoiled), pa.string())
    return replace(
        batch,
        heads=[head for head in batch.heads if head.did not in spoiled],
        touched=[touched for touched in batch.touched if touched.did not in spoiled],
        rows={dataset: without(rows, dids) for dataset, rows in batch.rows.items()},
    )
