"""Arrow batches of the lake's datasets to batches of the warehouse's tables: text becomes keys, CIDs their digests.

Pure and vectorised. Which rows are loaded, and how, is decided elsewhere. The list of all tables is in `tables`; here
are what tables are made with, and the rows of repositories.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.warehouse.batch_keys import BatchKeys, digests
from zeppelin_pipeline.warehouse.batch_packing import pack_blocks
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS

_POST: Final = "app.bsky.feed.post"


def as_is(column: pa.Array, _keys: BatchKeys) -> pa.Array:
    """The same in the table."""
    return column


def to_actors(dids: pa.Array, keys: BatchKeys) -> pa.Array:
    """The accounts' keys of DIDs, or of lists of them."""
    return keys_of_lists(dids, keys.actor_ids) if pa.types.is_list(dids.type) else keys.actor_ids(dids)


def to_rkeys(rkeys: pa.Array, keys: BatchKeys) -> pa.Array:
    """The keys of record keys, or of lists of them."""
    return keys_of_lists(rkeys, keys.rkey_ids) if pa.types.is_list(rkeys.type) else keys.rkey_ids(rkeys)


def to_collections(nsids: pa.Array, keys: BatchKeys) -> pa.Array:
    """The keys of collections."""
    return keys.collection_ids(nsids)


def to_collection_numbers(nsids: pa.Array, _keys: BatchKeys) -> pa.Array:
    """The numbers of well-known collections."""
    return collection_numbers(nsids)


def to_digests(cids: pa.Array, _keys: BatchKeys) -> pa.Array:
    """What CIDs say of their content."""
    return digests(cids)


def to_packed(blocks: pa.Array, _keys: BatchKeys) -> pa.Array:
    """Blocks, without what their references need not say."""
    return pack_blocks(blocks)


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a table is made of one of its dataset's.

    Attributes:
        source: the dataset's column.
        convert: its values to the table's.
        of_posts: a column of collections, which must say that it is of a post: else the value is null.
    """

    source: str
    convert: Callable[[pa.Array, BatchKeys], pa.Array] = as_is
    of_posts: str | None = None

    @property
    def parts(self) -> tuple["Column", ...]:
        """What the column is made of: itself."""
        return (self,)

    def made_of(self, batch: pa.RecordBatch, keys: BatchKeys) -> pa.Array:
        """The table's column."""
        made = self.convert(batch[self.source], keys)
        if self.of_posts is None:
            return made
        is_post = pc.equal(collection_numbers(batch[self.of_posts]), WELL_KNOWN_COLLECTIONS[_POST])
        return pc.if_else(is_post, made, None)


@dataclass(frozen=True, slots=True)
class Joined:
    """How a column of a table is made of several of its dataset's.

    Attributes:
        parts: each converted by itself.
        join: the parts, in their order, to the column.
    """

    parts: tuple[Column, ...]
    join: Callable[..., pa.Array]

    def made_of(self, batch: pa.RecordBatch, keys: BatchKeys) -> pa.Array:
        """The table's column."""
        return self.join(*(part.made_of(batch, keys) for part in self.parts))


@dataclass(frozen=True, slots=True)
class TableMap:
    """How one dataset becomes one table.

    Attributes:
        table: the table's name.
        columns: by their names in the table; the owner's first.
        collection: the one collection whose records the table holds; None where a column tells.
    """

    table: str
    columns: Mapping[str, Column | Joined]
    collection: str | None

    @property
    def dids(self) -> tuple[str, ...]:
        """The dataset's columns that hold DIDs, one or a list of them, the owner's first."""
        return self._sources_of(to_actors)

    @property
    def rkeys(self) -> tuple[str, ...]:
        """The dataset's columns that hold record keys, one or a list of them."""
        return self._sources_of(to_rkeys)

    @property
    def sources(self) -> list[str]:
        """All columns of the dataset that the table is made of."""
        named = [name for part in self._parts for name in (part.source, part.of_posts) if name]
        return list(dict.fromkeys(named))

    def to_rows(self, batch: pa.RecordBatch, keys: BatchKeys) -> pa.RecordBatch:
        """The batch's twin in keys, its columns named as the table's."""
        return pa.record_batch({name: column.made_of(batch, keys) for name, column in self.columns.items()})

    def _sources_of(self, convert: Callable[[pa.Array, BatchKeys], pa.Array]) -> tuple[str, ...]:
        return tuple(part.source for part in self._parts if part.convert is convert)

    @property
    def _parts(self) -> Iterator[Column]:
        return (part for column in self.columns.values() for part in column.parts)


def collection_numbers(nsids: pa.Array) -> pa.Array:
    """Well-known collections as smallint; null for null and for any other."""
    return numbers_of(nsids, WELL_KNOWN_COLLECTIONS)


def numbers_of(texts: pa.Array, numbers: Mapping[str, int], other: int | None = None) -> pa.Array:
    """Some known texts as smallint; `other` for any other, null for null."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    by_text = [numbers.get(text, other) for text in encoded.dictionary.to_pylist()]
    return pa.array(by_text, pa.int16()).take(encoded.indices)


def keys_of_lists(lists: pa.ListArray, to_keys: Callable[[pa.Array], pa.Array]) -> pa.ListArray:
    """Lists of texts as lists of their keys; null stays null."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), to_keys(lists.flatten()), mask=lists.is_null())


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


def is_of(owners: pa.Array, dids: pa.Array) -> pa.Array:
    """Of each owner, a DID encoded by a dictionary or not, whether it is one of `dids`."""
    return pc.is_in(owners.cast(pa.string()), value_set=dids)


def only_of(batch: pa.RecordBatch, dids: pa.Array) -> pa.RecordBatch:
    """The batch's rows whose owner is one of `dids`."""
    return batch.filter(is_of(batch["did"], dids))


def without(batch: pa.RecordBatch, dids: pa.Array) -> pa.RecordBatch:
    """The batch's rows whose owner is none of `dids`."""
    return batch.filter(pc.invert(is_of(batch["did"], dids)))


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
