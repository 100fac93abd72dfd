"""Maps to the tables of gates: who may reply to a post or embed it, by whom and what is excepted."""

from typing import Final

import pyarrow as pa

from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.rows import TableMap, keys_of_lists, place_and_times


def _threadgate(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "allow": batch["allow"],
            "list_actors": keys_of_lists(batch["list_dids"], keys.actor_ids),
            "list_rkeys": keys_of_lists(batch["list_rkeys"], keys.rkey_ids),
            "hidden_actors": keys_of_lists(batch["hidden_dids"], keys.actor_ids),
            "hidden_rkeys": keys_of_lists(batch["hidden_rkeys"], keys.rkey_ids),
            "raw": batch["raw"],
        }
    )


def _postgate(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "is_embedding_disabled": batch["is_embedding_disabled"],
            "detached_actors": keys_of_lists(batch["detached_dids"], keys.actor_ids),
            "detached_rkeys": keys_of_lists(batch["detached_rkeys"], keys.rkey_ids),
            "raw": batch["raw"],
        }
    )


GATE_TABLES: Final[dict[str, TableMap]] = {
    "threadgate": TableMap(
        "threadgate",
        ("did", "list_dids", "hidden_dids"),
        ("rkey", "list_rkeys", "hidden_rkeys"),
        _threadgate,
        "app.bsky.feed.threadgate",
    ),
    "postgate": TableMap(
        "postgate", ("did", "detached_dids"), ("rkey", "detached_rkeys"), _postgate, "app.bsky.feed.postgate"
    ),
}
