"""Tables of what accounts make for others: lists and what is on them, starter packs, generators, labelers."""

from typing import Final

import pyarrow as pa

from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.rows import TableMap, place_and_times

#: Numbers of the purposes that the lexicon knows (`app.bsky.graph.defs#…`); any other is 0. They are never changed.
LIST_PURPOSES: Final = {
    "app.bsky.graph.defs#modlist": 1,
    "app.bsky.graph.defs#curatelist": 2,
    "app.bsky.graph.defs#referencelist": 3,
}


def _list(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    encoded = batch["purpose"]
    numbers = pa.array([LIST_PURPOSES.get(text, 0) for text in encoded.dictionary.to_pylist()], pa.int16())
    return pa.record_batch(
        place_and_times(batch, keys) | {"purpose": numbers.take(encoded.indices), "raw": batch["raw"]}
    )


def _list_item(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    """Who is on which list; the list's account is the item's own."""
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "subject_actor": keys.actor_ids(batch["subject_did"]),
            "list_rkey": keys.rkey_ids(batch["list_rkey"]),
            "raw": batch["raw"],
        }
    )


def _list_block(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "subject_actor": keys.actor_ids(batch["subject_did"]),
            "subject_rkey": keys.rkey_ids(batch["subject_rkey"]),
            "raw": batch["raw"],
        }
    )


def _starter_pack(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "list_actor": keys.actor_ids(batch["list_did"]),
            "list_rkey": keys.rkey_ids(batch["list_rkey"]),
            "raw": batch["raw"],
        }
    )


def _verification(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    subject = {"subject_actor": keys.actor_ids(batch["subject_did"])}
    return pa.record_batch(place_and_times(batch, keys) | subject | {"raw": batch["raw"]})


def _generator(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    service = {"service_actor": keys.actor_ids(batch["service_did"])}
    return pa.record_batch(place_and_times(batch, keys) | service | {"raw": batch["raw"]})


def _labeler(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(place_and_times(batch, keys) | {"raw": batch["raw"]})


CURATION_TABLES: Final[dict[str, TableMap]] = {
    "list": TableMap("list", ("did",), ("rkey",), _list, "app.bsky.graph.list"),
    "list_item": TableMap(
        "list_item", ("did", "subject_did"), ("rkey", "list_rkey"), _list_item, "app.bsky.graph.listitem"
    ),
    "list_block": TableMap(
        "list_block", ("did", "subject_did"), ("rkey", "subject_rkey"), _list_block, "app.bsky.graph.listblock"
    ),
    "starter_pack": TableMap(
        "starter_pack", ("did", "list_did"), ("rkey", "list_rkey"), _starter_pack, "app.bsky.graph.starterpack"
    ),
    "verification": TableMap(
        "verification", ("did", "subject_did"), ("rkey",), _verification, "app.bsky.graph.verification"
    ),
    "generator": TableMap("generator", ("did", "service_did"), ("rkey",), _generator, "app.bsky.feed.generator"),
    "labeler": TableMap("labeler", ("did",), ("rkey",), _labeler, "app.bsky.labeler.service"),
}
