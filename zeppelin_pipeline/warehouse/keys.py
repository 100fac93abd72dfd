"""Text identifiers to the warehouse's 64-bit keys, scalar and vectorised; no I/O.

Keys are stateless: computed anywhere, without a look-up, from the identifier and the warehouse's secret. The secret
makes collisions impossible to aim at; those that chance brings (at 2^26 accounts one in 8,000 warehouses has one) are
found by the dictionaries' unique constraints.

A record key that is a TID below 2^63 is its own integer, order kept. A TID may by its syntax begin with c to j, which
is 2^63 or more; such a key is treated as any other text: a negative keyed hash.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.errors import CorruptStateError

KEY_BYTES: Final = 32

#: Collections with fixed numbers. A number, once given, is never changed nor given again.
WELL_KNOWN_COLLECTIONS: Final[dict[str, int]] = {
    "app.bsky.feed.post": 1,
    "app.bsky.feed.like": 2,
    "app.bsky.feed.repost": 3,
    "app.bsky.graph.follow": 4,
    "app.bsky.graph.block": 5,
    "app.bsky.actor.profile": 6,
    "app.bsky.feed.generator": 7,
    "app.bsky.feed.threadgate": 8,
    "app.bsky.feed.postgate": 9,
    "app.bsky.graph.list": 10,
    "app.bsky.graph.listitem": 11,
    "app.bsky.graph.listblock": 12,
    "app.bsky.graph.starterpack": 13,
    "app.bsky.graph.verification": 14,
    "app.bsky.labeler.service": 15,
    "app.bsky.actor.status": 16,
    "app.bsky.notification.declaration": 17,
    "chat.bsky.actor.declaration": 18,
    "com.germnetwork.declaration": 19,
}
_NSID_BY_NUMBER: Final = {number: nsid for nsid, number in WELL_KNOWN_COLLECTIONS.items()}

_TID_ALPHABET: Final = b"234567abcdefghijklmnopqrstuvwxyz"
_TID_LENGTH: Final = 13
_NOT_IN_ALPHABET: Final = 255
_FIRST_DIGIT_LIMIT: Final = 8  # 3 bits above the 60 of the other digits: at most 2^63 - 1
_NEGATIVE: Final = 1 << 63

Int64Array: TypeAlias = "npt.NDArray[np.int64]"


def _digit_table() -> "npt.NDArray[np.uint8]":
    table = np.full(256, _NOT_IN_ALPHABET, dtype=np.uint8)
    table[np.frombuffer(_TID_ALPHABET, dtype=np.uint8)] = np.arange(32, dtype=np.uint8)
    return table


_DIGITS: Final = _digit_table()
_DIGIT_OF: Final = {chr(character): digit for digit, character in enumerate(_TID_ALPHABET)}


def _to_signed(value: int) -> int:
    return value - (1 << 64) if value >= _NEGATIVE else value


def tid_key(rkey: str) -> int | None:
    """The 63-bit integer of a record key that is a TID below 2^63, else None."""
    if len(rkey) != _TID_LENGTH:
        return None
    value = 0
    for character in rkey:
        digit = _DIGIT_OF.get(character)
        if digit is None:
            return None
        value = value << 5 | digit
    return value if value < _NEGATIVE else None


def tid_of_key(key: int) -> str:
    """The TID whose key this non-negative integer is."""
    if not 0 <= key < _NEGATIVE:
        raise CorruptStateError(f"{key} is not the key of a TID")
    return "".join(chr(_TID_ALPHABET[key >> shift & 31]) for shift in range(60, -1, -5))


def nsid_of_number(number: int) -> str | None:
    """The NSID of a well-known collection's number, else None."""
    return _NSID_BY_NUMBER.get(number)


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys of one warehouse.

    Attributes:
        key: the warehouse's secret, 32 bytes.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise CorruptStateError(f"the warehouse's hash key has {len(self.key)} bytes, not {KEY_BYTES}")

    def _hash(self, text: str, person: bytes) -> int:
        digest = hashlib.blake2b(text.encode(), digest_size=8, key=self.key, person=person).digest()
        return int.from_bytes(digest, "big")

    def actor_id(self, did: str) -> int:
        """The signed 64-bit key of an account."""
        return _to_signed(self._hash(did, b"actor"))

    def rkey_id(self, rkey: str) -> int:
        """The key of a record key: the TID's integer (not negative), or a negative keyed hash."""
        key = tid_key(rkey)
        return key if key is not None else self.text_rkey_id(rkey)

    def text_rkey_id(self, rkey: str) -> int:
        """The negative keyed hash of a record key that is not a TID."""
        return _to_signed(self._hash(rkey, b"rkey") | _NEGATIVE)

    def collection_id(self, nsid: str) -> int:
        """A well-known collection's number, or a negative keyed hash."""
        return WELL_KNOWN_COLLECTIONS.get(nsid) or _to_signed(self._hash(nsid, b"collection") | _NEGATIVE)

    def actor_ids(self, dids: pa.Array) -> pa.Array:
        """`actor_id` of each DID; nulls stay null. Takes string or dictionary arrays, gives int64."""
        return _map_distinct(dids, self.actor_id)

    def collection_ids(self, nsids: pa.Array) -> pa.Array:
        """`collection_id` of each NSID; nulls stay null."""
        return _map_distinct(nsids, self.collection_id)

    def rkey_ids(self, rkeys: pa.Array) -> pa.Array:
        """`rkey_id` of each record key; nulls stay null. Takes string or dictionary arrays, gives int64."""
        rkeys = rkeys.cast(pa.string())
        values, is_tid = _tid_keys(rkeys)
        is_null = np.asarray(rkeys.is_null())
        others = np.flatnonzero(~is_tid & ~is_null)
        if len(others):
            hashed = _map_distinct(rkeys.take(pa.array(others)), self.text_rkey_id)
            values[others] = hashed.to_numpy(zero_copy_only=False)
        return pa.array(values, pa.int64(), mask=is_null)


def non_tid_rkeys(rkeys: pa.Array) -> list[str]:
    """The distinct record keys that are not TIDs, and so need a row in `record_key`."""
    rkeys = rkeys.cast(pa.string())
    _, is_tid = _tid_keys(rkeys)
    others = np.flatnonzero(~is_tid & ~np.asarray(rkeys.is_null()))
    return [str(text) for text in rkeys.take(pa.array(others)).unique().to_pylist()]


def _map_distinct(texts: pa.Array, to_key: Callable[[str], int]) -> pa.Array:
    """Hash each distinct text once: hashing in Python costs 0.7 µs, repeating an integer nothing."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    keys = pa.array([to_key(text) for text in encoded.dictionary.to_pylist()], pa.int64())
    return keys.take(encoded.indices)


def _tid_keys(rkeys: pa.Array) -> "tuple[Int64Array, npt.NDArray[np.bool_]]":
    """Each record key's TID integer (0 where it is none), and which of them are TIDs."""
    count = len(rkeys)
    values = np.zeros(count, dtype=np.int64)
    is_tid = np.zeros(count, dtype=np.bool_)
    buffers = rkeys.buffers()
    if count == 0 or buffers[2] is None:
        return values, is_tid
    offsets = np.frombuffer(buffers[1], dtype=np.int32, count=count + 1, offset=4 * rkeys.offset)
    data = np.frombuffer(buffers[2], dtype=np.uint8)
    candidates = np.flatnonzero((np.diff(offsets) == _TID_LENGTH) & ~np.asarray(rkeys.is_null()))
    starts = offsets[candidates]
    integers = np.zeros(len(candidates), dtype=np.int64)
    good = _DIGITS[data[starts]] < _FIRST_DIGIT_LIMIT
    for position in range(_TID_LENGTH):
        digits = _DIGITS[data[starts + position]]
        good &= digits != _NOT_IN_ALPHABET
        integers = integers << 5 | digits
    values[candidates[good]] = integers[good]
    is_tid[candidates[good]] = True
    return values, is_tid
