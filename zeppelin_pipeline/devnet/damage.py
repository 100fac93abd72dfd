"""How a repository or its CAR is spoilt: pure functions from good bytes to bad ones. faults.py says which are hit."""

from typing import Any

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.car import read_car
from zeppelin_pipeline.atproto.cbor_pieces import text
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.seeds import seeded_fraction

KeyedBlock = tuple[bytes, bytes]
"""Key in the tree (`collection/rkey`) and the record's block."""

REFUSED_TAILS = (
    text("devnetScore") + b"\xf9\x3c\x00",  # half-precision float
    text("a") + b"\x01",  # a key out of order
    text("devnetNothing") + b"\xf7",  # undefined
    text("devnetRatio") + b"\xfa\x3f\x80\x00\x00",  # single-precision float
)
"""Map members that lenient CBOR reads, and strict DAG-CBOR refuses where they stand, last in the map."""


def damage_records(records: list[KeyedBlock], kind: FaultKind, did: str) -> list[KeyedBlock]:
    """The records of a repository with those of a content fault in place of good ones; the rest untouched."""
    if kind is FaultKind.REFUSED_BLOCK:
        places = {_place(records, did)}
        return [(key, _refused(block, did) if n in places else block) for n, (key, block) in enumerate(records)]
    if kind is FaultKind.INVALID_RECORD:
        spoilt = invalid_places(records)
        return [(key, _invalid(key, block) if n in spoilt else block) for n, (key, block) in enumerate(records)]
    return records


def invalid_places(records: list[KeyedBlock]) -> set[int]:
    """Which records INVALID_RECORD spoils: the first of each collection that has a rule here, by place."""
    first: dict[str, int] = {}
    for place, (key, _) in enumerate(records):
        collection = key.partition(b"/")[0].decode()
        if collection in _INVALID_FIELDS:
            first.setdefault(collection, place)
    return set(first.values())


def cut_at_block(car: bytes) -> bytes:
    """The CAR without its last third of blocks (one at the least): well framed, and incomplete."""
    _, blocks = read_car(car)
    ends = [end for _, _, end in blocks]
    kept = max(min(len(ends) - 1, len(ends) * 2 // 3), 0)
    return car[: ends[kept - 1]] if kept else car


def flip_byte(car: bytes) -> bytes:
    """The CAR with one bit of its last block changed."""
    _, blocks = read_car(car)
    *_, (_, start, end) = blocks
    spoilt = bytearray(car)
    spoilt[(start + end) // 2] ^= 0x01
    return bytes(spoilt)


_INVALID_FIELDS: dict[str, dict[str, Any]] = {
    "app.bsky.actor.profile": {"displayName": "x" * 641},
    "app.bsky.feed.like": {"subject": {"uri": "at://not a uri", "cid": "bafy"}},
    "app.bsky.feed.post": {"text": 42},
    "app.bsky.feed.repost": {"createdAt": "yesterday"},
    "app.bsky.graph.block": {"subject": None},
    "app.bsky.graph.follow": {"subject": "not-a-did"},
}
"""What each collection's lexicon forbids."""


def _invalid(key: bytes, block: bytes) -> bytes:
    collection = key.partition(b"/")[0].decode()
    return dag_cbor.encode(dag_cbor.decode(block) | _INVALID_FIELDS[collection])


def _refused(block: bytes, did: str) -> bytes:
    """The block's map with one member more, of which strict decoders want nothing."""
    assert 0xA0 <= block[0] < 0xB7, "a record is a map of few members"
    tail = REFUSED_TAILS[int(seeded_fraction("refused-tail", did) * len(REFUSED_TAILS))]
    return bytes([block[0] + 1]) + block[1:] + tail


def _place(records: list[KeyedBlock], did: str) -> int:
    return int(seeded_fraction("refused-place", did) * len(records))
