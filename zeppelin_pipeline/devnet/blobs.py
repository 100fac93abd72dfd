"""The blobs that records refer to: small files, remade from the seed whenever they are asked for."""

import struct
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any
from zlib import compress, crc32

from zeppelin_pipeline.atproto.cid import RAW_PREFIX
from zeppelin_pipeline.devnet.seeds import seeded_bytes

IMAGES = 12
"""How many different pictures an account has."""
VIDEOS = 2
SLOTS = ("avatar", "banner", *(f"image-{n}" for n in range(IMAGES)), *(f"video-{n}" for n in range(VIDEOS)))
"""The names of an account's blobs."""


@lru_cache(maxsize=50_000)
def blob_ref(seed: int, index: int, slot: str) -> dict[str, Any]:
    """The blob reference that a record carries, for a slot of an account. Shared: never change it."""
    content = blob_bytes(seed, index, slot)
    return {
        "$type": "blob",
        "ref": RAW_PREFIX + sha256(content).digest(),
        "mimeType": mime_type(slot),
        "size": len(content),
    }


def mime_type(slot: str) -> str:
    """The media type of a slot's blob."""
    return "video/mp4" if slot.startswith("video") else "image/png"


def blob_bytes(seed: int, index: int, slot: str) -> bytes:
    """The blob itself: a PNG of one coloured pixel, or an MP4 that holds nothing but its header."""
    variety = seeded_bytes(seed, "blob", index, slot, size=16)
    return _mp4(variety) if slot.startswith("video") else _png(variety)


def find_blob(seed: int, index: int, cid: bytes) -> tuple[str, bytes] | None:
    """The slot and bytes of an account's blob by its CID; None when the account has no such blob."""
    for slot in SLOTS:
        content = blob_bytes(seed, index, slot)
        if RAW_PREFIX + sha256(content).digest() == cid:
            return slot, content
    return None


def referenced_blobs(value: Any) -> Iterator[bytes]:
    """The CIDs of all blobs that a decoded record refers to, in order, repetitions included."""
    if isinstance(value, dict):
        if value.get("$type") == "blob":
            yield value["ref"]
        else:
            for member in value.values():
                yield from referenced_blobs(member)
    elif isinstance(value, list):
        for member in value:
            yield from referenced_blobs(member)


def _png(variety: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = compress(b"\x00" + variety[:3])
    comment = b"Comment\x00" + variety.hex().encode()
    chunks = ((b"IHDR", header), (b"tEXt", comment), (b"IDAT", pixel), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


def _mp4(variety: bytes) -> bytes:
    brand = b"ftypisom\x00\x00\x02\x00isommp41"
    free = b"free" + variety
    return b"".join(struct.pack(">I", 4 + len(box)) + box for box in (brand, free))
