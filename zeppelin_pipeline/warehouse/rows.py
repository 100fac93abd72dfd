"""Arrow batches of the lake's datasets to batches of the warehouse's tables: text becomes keys, CIDs their digests.

Pure and vectorised. Which rows are loaded, and how, is decided elsewhere. The list of all tables is in `tables`; here
are what tables are made with, those of what accounts write most, and the rows of repositories.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.warehouse.batch_keys import BatchKeys, digests
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS

_POST: Final = "app.bsky.feed.post"


@dataclass(frozen=True, slots=True)
class TableMap:
    """How one dataset becomes one table.

    Attributes:
        table: the table's name.
        dids: the dataset's columns that hold DIDs, one or a list of them, the owner's first.
        rkeys: its columns that hold record keys, one or a list of them.
        to_rows: the batch's twin in keys, its columns named as the table's.
        collection: the one collection whose records the table holds; None where a column tells.
    """

    table: str
    dids: tuple[str, ...]
    rkeys: tuple[str, ...]
    to_rows: Callable[[pa.RecordBatch, BatchKeys], pa.RecordBatch]
    collection: str | None


def collection_numbers(nsids: pa.Array) -> pa.Array:
    """Well-known collections as smallint; null for null and for any other."""
    encoded = nsids if pa.types.is_dictionary(nsids.type) else nsids.dictionary_encode()
    numbers = [WELL_KNOWN_COLLECTIONS.get(nsid) for nsid in encoded.dictionary.to_pylist()]
    return pa.array(numbers, pa.int16()).take(encoded.indices)


def keys_of_lists(lists: pa.ListArray, to_keys: Callable[[pa.Array], pa.Array]) -> pa.ListArray:
    """Lists of texts as lists of their keys; null stays null."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), to_keys(lists.flatten()), mask=lists.is_null())


def place_and_times(batch: pa.RecordBatch, keys: BatchKeys) -> dict[str, pa.Array]:
    """What every typed table begins with: whose record, by which key, and when."""
    return {
        "actor_id": keys.actor_ids(batch["did"]),
        "rkey": keys.rkey_ids(batch["rkey"]),
        "created_at": batch["created_at"],
        "indexed_at": batch["indexed_at"],
    }


def _engagement(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    """Likes and reposts: who, what, when, and through whose repost."""
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "subject_actor": keys.actor_ids(batch["subject_did"]),
            "subject_rkey": keys.rkey_ids(batch["subject_rkey"]),
            "via_actor": keys.actor_ids(batch["via_did"]),
            "via_rkey": keys.rkey_ids(batch["via_rkey"]),
            "subject_collection": collection_numbers(batch["subject_collection"]),
            "subject_cid": digests(batch["subject_cid"]),
            "via_cid": digests(batch["via_cid"]),
            "raw": batch["raw"],
        }
    )


def _edge(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    """Follows and blocks: who, whom, when."""
    return pa.record_batch(
        place_and_times(batch, keys)
        | {
            "subject_actor": keys.actor_ids(batch["subject_did"]),
            "raw": batch["raw"],
        }
    )


def _post(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    """Posts: a reply's ends count where they are posts; a quote may be of any well-known collection."""
    columns = place_and_times(batch, keys)
    for end in ("reply_root", "reply_parent"):
        is_post = pc.equal(collection_numbers(batch[f"{end}_collection"]), WELL_KNOWN_COLLECTIONS[_POST])
        columns[f"{end}_actor"] = pc.if_else(is_post, keys.actor_ids(batch[f"{end}_did"]), None)
        columns[f"{end}_rkey"] = pc.if_else(is_post, keys.rkey_ids(batch[f"{end}_rkey"]), None)
    return pa.record_batch(
        columns
        | {
            "quote_actor": keys.actor_ids(batch["quote_did"]),
            "quote_rkey": keys.rkey_ids(batch["quote_rkey"]),
            "quote_collection": collection_numbers(batch["quote_collection"]),
            "embed": batch["embed"],
            "raw": batch["raw"],
            "mentions": keys_of_lists(batch["mentions"], keys.actor_ids),
        }
    )


def _profile(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(place_and_times(batch, keys) | {"raw": batch["raw"]})


def _record(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "actor_id": keys.actor_ids(batch["did"]),
            "collection": keys.collection_ids(batch["collection"]),
            "rkey": keys.rkey_ids(batch["rkey"]),
            "indexed_at": batch["indexed_at"],
            "reason": batch["reason"],
            "raw": batch["raw"],
        }
    )


def storable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with texts as Postgres can hold them: NUL, which documents and hosts' answers may have, is replaced."""
    columns = [
        pc.replace_substring(column, "\0", "\ufffd") if pa.types.is_string(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def repo_rows(batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
    """Repositories, as the temporary table `incoming` takes them; only verified ones keep their rev."""
    is_verified = pc.equal(batch["state"], "synchronized")
    rows = pa.record_batch(
        {
            "actor_id": keys.actor_ids(batch["did"]),
            "did": batch["did"],
            "rev": pc.if_else(is_verified, keys.rkey_ids(batch["rev"]), None),
            "records": batch["records"],
            "fetched_at": batch["fetched_at"],
            "host": batch["host"].cast(pa.string()),
            "state": batch["state"],
            "status": batch["status"],
            "reason": batch["reason"],
            "data_cid": digests(batch["data_cid"]),
            "commit": batch["commit"],
            "handle": batch["handle"],
            "pds": batch["pds"],
            "signing_key": batch["signing_key"],
        }
    )
    return storable(rows)


_SUBJECT_DIDS: Final = ("did", "subject_did", "via_did")
_SUBJECT_RKEYS: Final = ("rkey", "subject_rkey", "via_rkey")

#: Profiles, posts, and what accounts do to posts and to each other.
SOCIAL_TABLES: Final[dict[str, TableMap]] = {
    "profile": TableMap("profile", ("did",), ("rkey",), _profile, "app.bsky.actor.profile"),
    "post": TableMap(
        "post",
        ("did", "reply_root_did", "reply_parent_did", "quote_did", "mentions"),
        ("rkey", "reply_root_rkey", "reply_parent_rkey", "quote_rkey"),
        _post,
        _POST,
    ),
    "like": TableMap("like", _SUBJECT_DIDS, _SUBJECT_RKEYS, _engagement, "app.bsky.feed.like"),
    "repost": TableMap("repost", _SUBJECT_DIDS, _SUBJECT_RKEYS, _engagement, "app.bsky.feed.repost"),
    "follow": TableMap("follow", ("did", "subject_did"), ("rkey",), _edge, "app.bsky.graph.follow"),
    "block": TableMap("block", ("did", "subject_did"), ("rkey",), _edge, "app.bsky.graph.block"),
}
#: Records of every other collection, and those that are not valid.
WHOLE_TABLES: Final[dict[str, TableMap]] = {"record": TableMap("record", ("did",), ("rkey",), _record, None)}


def only_of(batch: pa.RecordBatch, dids: pa.Array) -> pa.RecordBatch:
    """The batch's rows whose owner is one of `dids`."""
    return batch.filter(pc.is_in(batch["did"].cast(pa.string()), value_set=dids))


def without(batch: pa.RecordBatch, dids: pa.Array) -> pa.RecordBatch:
    """The batch's rows whose owner is none of `dids`."""
    return batch.filter(pc.invert(pc.is_in(batch["did"].cast(pa.string()), value_set=dids)))


def texts_of(column: pa.Array) -> pa.Array:
    """The texts of a column of texts, plain or encoded by a dictionary, or of lists of texts."""
    return (column.flatten() if pa.types.is_list(column.type) else column).cast(pa.string())


def needing(batch: pa.RecordBatch, column: str, texts: pa.Array) -> tuple[list[str], list[str]]:
    """The owners of the rows that have one of `texts` in a column, with the text, row by row."""
    held = batch[column]
    is_needed = pc.is_in(texts_of(held), value_set=texts)
    owners = batch["did"].cast(pa.string())
    if pa.types.is_list(held.type):
        owners = owners.take(pc.list_parent_indices(held))
    return owners.filter(is_needed).to_pylist(), texts_of(held).filter(is_needed).to_pylist()
