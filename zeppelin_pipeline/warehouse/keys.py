"""Text identifiers to the warehouse's 64-bit keys, one by one (of whole arrays: `batch_keys.py`); no I/O.

Keys are stateless: computed anywhere, without a look-up, from the identifier and the warehouse's secret. The secret
makes collisions impossible to aim at; those that chance brings (at 2^26 accounts one in 8,000 warehouses has one) are
found by what the dictionaries hold already.

A record key that is a TID below 2^63 is its own integer, order kept. A TID may by its syntax begin with c to j, which
is 2^63 or more; such a key is treated as any other text: a negative keyed hash.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from zeppelin_pipeline.atproto.syntax import is_did, parse_at_uri
from zeppelin_pipeline.atproto.tid import ALPHABET
from zeppelin_pipeline.errors import CorruptStateError, InvalidDataError

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

_TID_LENGTH: Final = 13
#: Hashes that are kept: whoever asks one by one asks for the same accounts again. About 4 MB.
_REMEMBERED: Final = 16_384
_NEGATIVE: Final = 1 << 63

#: Two characters of a TID at once.
_PAIRS: Final = [one + other for one in ALPHABET for other in ALPHABET]
_DIGIT_OF: Final = {character: digit for digit, character in enumerate(ALPHABET)}


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
    return ALPHABET[key >> 60] + "".join([_PAIRS[key >> shift & 1023] for shift in range(50, -1, -10)])


def nsid_of_number(number: int) -> str | None:
    """The NSID of a well-known collection's number, else None."""
    return _NSID_BY_NUMBER.get(number)


@lru_cache(_REMEMBERED)
def _keyed_hash(key: bytes, text: str, person: bytes) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=key, person=person).digest()
    return int.from_bytes(digest, "big")


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
        return _keyed_hash(self.key, text, person)

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

    def label_subject(self, uri: str) -> tuple[int, int, int] | None:
        """What a label is about: account, collection and record key; these two are 0 where it is the account itself.

        None for a URI that names neither an account by its DID nor a record of one.
        """
        if uri.startswith("did:"):
            return (self.actor_id(uri), 0, 0) if is_did(uri) else None
        try:
            parsed = parse_at_uri(uri)
        except InvalidDataError:
            return None
        if parsed.collection is None or parsed.rkey is None or not parsed.authority.startswith("did:"):
            return None
        return self.actor_id(parsed.authority), self.collection_id(parsed.collection), self.rkey_id(parsed.rkey)
