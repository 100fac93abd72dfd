"""The keys of whole Arrow arrays, by compiled loops: what `keys.py` says of one identifier, for millions. No I/O."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.kernels.blake2b import BLAKE2B_IV, hash_texts
from zeppelin_pipeline.warehouse.kernels.texts import MALFORMED, OTHER_FORM, read_tids, slice_digests
from zeppelin_pipeline.warehouse.keys import KEY_BYTES, WELL_KNOWN_COLLECTIONS, KeySpace
from zeppelin_pipeline.warehouse.text_memory import Bytes, Int64s, TextMemory, Texts

_HASH_BYTES: Final = 8
_PERSON_BYTES: Final = 16
_SIGN: Final = np.uint64(1 << 63)
_DAG_CBOR_PREFIX: Final = np.frombuffer(DAG_CBOR_PREFIX, np.uint8)
_DIGEST_BYTES: Final = 32


class BatchKeys(KeySpace):
    """A key space that makes the keys of arrays, and remembers the texts that it hashed.

    Attributes:
        memories: of accounts, record keys that are no TIDs, and collections, by the names of their dictionaries.
    """

    __slots__ = ("memories",)

    memories: Mapping[str, TextMemory]

    def __init__(self, space: KeySpace) -> None:
        """The key space of a warehouse, with nothing remembered yet."""
        super().__init__(space.key)
        memories = {
            "actor": TextMemory(lambda starts, data: self._hashes(starts, data, b"actor").view(np.int64)),
            "record_key": TextMemory(lambda starts, data: self._negative(starts, data, b"rkey")),
            "collection": TextMemory(self._collection_keys),
        }
        object.__setattr__(self, "memories", MappingProxyType(memories))

    def actor_ids(self, dids: pa.Array) -> pa.Array:
        """`actor_id` of each DID; nulls stay null. Takes string or dictionary arrays, gives int64."""
        return _mapped(dids, self._remembered("actor"))

    def collection_ids(self, nsids: pa.Array) -> pa.Array:
        """`collection_id` of each NSID; nulls stay null."""
        return _mapped(nsids, self._remembered("collection"))

    def rkey_ids(self, rkeys: pa.Array) -> pa.Array:
        """`rkey_id` of each record key; nulls stay null. Takes string or dictionary arrays, gives int64."""
        return _mapped(rkeys, self._rkeys)

    def _remembered(self, dictionary: str) -> Callable[[Texts], Int64s]:
        memory = self.memories[dictionary]
        return lambda texts: memory.keys_of(texts, np.arange(len(texts.offsets) - 1))

    def _rkeys(self, texts: Texts) -> Int64s:
        count = len(texts.offsets) - 1
        keys = np.empty(count, np.int64)
        others = np.empty(count, np.int64)
        found = read_tids(texts.offsets, texts.data, texts.bitmap, texts.bit_offset, keys, others)
        if found == MALFORMED:
            raise CorruptStateError("an Arrow array's offsets leave its data")
        if found:
            keys[others[:found]] = self.memories["record_key"].keys_of(texts, others[:found])
        return keys

    def _collection_keys(self, starts: Int64s, data: Bytes) -> Int64s:
        keys = self._negative(starts, data, b"collection")
        for number, (start, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
            well_known = WELL_KNOWN_COLLECTIONS.get(data[start:end].tobytes().decode())
            if well_known is not None:
                keys[number] = well_known
        return keys

    def _negative(self, starts: Int64s, data: Bytes, person: bytes) -> Int64s:
        return (self._hashes(starts, data, person) | _SIGN).view(np.int64)

    def _hashes(self, starts: Int64s, data: Bytes, person: bytes) -> "np.typing.NDArray[np.uint64]":
        """`KeySpace._hash` of each text."""
        hashes = np.empty(len(starts) - 1, np.uint64)
        key_block = np.frombuffer(self.key.ljust(128, b"\0"), "<u8")
        # RFC 7693, section 2.5: lengths of hash and key, fan-out and depth 1; the person is in the last two words.
        parameters = bytes([_HASH_BYTES, KEY_BYTES, 1, 1]).ljust(48, b"\0") + person.ljust(_PERSON_BYTES, b"\0")
        if hash_texts(starts, data, BLAKE2B_IV ^ np.frombuffer(parameters, "<u8"), key_block, hashes) == MALFORMED:
            raise CorruptStateError("remembered texts have lost their bounds")
        return hashes


def digests(cids: pa.Array) -> pa.Array:
    """The 32 bytes of SHA-256 of DAG-CBOR CIDs; nulls stay null.

    Raises:
        CorruptStateError: a CID is of another form; the lake holds none such in these columns.
    """
    count = len(cids)
    if cids.null_count == count:
        return pa.nulls(count, pa.binary())
    plain = Texts.of(cids if pa.types.is_binary(cids.type) else cids.cast(pa.binary()))
    ends = np.empty(count + 1, np.int32)
    data = np.empty(_DIGEST_BYTES * (count - cids.null_count), np.uint8)
    answer = slice_digests(plain.offsets, plain.data, plain.bitmap, plain.bit_offset, _DAG_CBOR_PREFIX, ends, data)
    if answer in {MALFORMED, OTHER_FORM}:
        raise CorruptStateError("a batch holds a CID that is not of DAG-CBOR and SHA-256")
    return pa.Array.from_buffers(
        pa.binary(), count, [_validity(cids), pa.py_buffer(ends), pa.py_buffer(data)], cids.null_count
    )


def _mapped(texts: pa.Array, to_keys: Callable[[Texts], Int64s]) -> pa.Array:
    """An int64 array of the texts' keys. Of a dictionary only what is used is looked at."""
    count = len(texts)
    if texts.null_count == count:
        return pa.nulls(count, pa.int64())
    if pa.types.is_dictionary(texts.type):
        return _mapped_dictionary(texts, to_keys)
    plain = texts if pa.types.is_string(texts.type) else texts.cast(pa.string())
    keys = to_keys(Texts.of(plain))
    return pa.Array.from_buffers(pa.int64(), count, [_validity(plain), pa.py_buffer(keys)], plain.null_count)


def _mapped_dictionary(encoded: pa.Array, to_keys: Callable[[Texts], Int64s]) -> pa.Array:
    used = encoded.indices.unique().drop_null()
    keys = np.zeros(len(encoded.dictionary), np.int64)
    keys[used.to_numpy(zero_copy_only=False)] = to_keys(Texts.of(encoded.dictionary.take(used)))
    return pa.array(keys).take(encoded.indices)


def _validity(array: pa.Array) -> "pa.Buffer | None":
    """The validity bitmap of an array as one that begins at bit 0; None without nulls."""
    return array.is_valid().buffers()[1] if array.null_count else None
