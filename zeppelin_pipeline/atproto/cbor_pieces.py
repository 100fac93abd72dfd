"""Pieces of canonical DAG-CBOR that are written by hand: headers, texts, links.

For blocks of one form, whose bytes are quicker put together than checked to be the only ones that a value has
(`dag_cbor.encode` does that). Whoever joins them knows the order of a map's keys: by length, then by bytes.
"""

from typing import Final

#: What the 36 bytes of a CID follow where they are a link.
LINK_HEAD: Final = b"\xd8\x2a\x58\x25\x00"
NULL: Final = b"\xf6"
BYTES, TEXT, ARRAY, MAP = range(2, 6)


def header(major: int, argument: int) -> bytes:
    """The shortest header of a kind (0 to 7) and a number of at most 32 bits."""
    kind = major << 5
    if argument < 24:
        return bytes((kind | argument,))
    if argument < 1 << 8:
        return bytes((kind | 24, argument))
    if argument < 1 << 16:
        return bytes((kind | 25,)) + argument.to_bytes(2, "big")
    return bytes((kind | 26,)) + argument.to_bytes(4, "big")


def text(value: str) -> bytes:
    """A text."""
    data = value.encode()
    return header(TEXT, len(data)) + data


def link(cid: bytes | None) -> bytes:
    """A link, or null."""
    return NULL if cid is None else LINK_HEAD + cid
