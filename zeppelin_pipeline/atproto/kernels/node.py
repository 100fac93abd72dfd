"""What the bytes of a node of a Merkle search tree are made of, in a kernel; how nodes make a tree is told elsewhere.

A node is `{"e": [{"k", "p", "t", "v"}, …], "l"}`, see `mst.node`. Ranges that are given are within the block.
"""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.cbor import LINK_BYTES
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.atproto.kernels.sha256 import STATE_WORDS, digest, digest_word

MAX_KEY_BYTES: Final = 1024
#: Nodes above one another: a height is 0 to 128, half the bits of a hash.
MAX_DEPTH: Final = 130

NULL: Final = 0xF6
LINK_HEAD: Final = as_bytes(b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20")
#: Where in a link the CID starts.
CID_IN_LINK: Final = 5


@part
def is_link(data: Array, at: Number, end: Number) -> bool:
    """Whether a link to a DAG-CBOR block lies wholly within `data[at:end]`."""
    if at + LINK_BYTES > end:
        return False
    for index in range(len(LINK_HEAD)):  # noqa: SIM110 - a generator is an object
        if data[at + index] != LINK_HEAD[index]:
            return False
    return True


@part
def left_at(data: Array, start: Number, end: Number) -> Number:
    """Where the last field of a node, `l`, seems to start, seen from its end; UNUSUAL when it does not seem to be one.

    The reader of the entries comes to the same place, or the node is not canonical.
    """
    at = end - LINK_BYTES - 2
    if at > start and data[at] == 0x61 and data[at + 1] == 0x6C and is_link(data, at + 2, end):
        return at
    at = end - 3
    if at > start and data[at] == 0x61 and data[at + 1] == 0x6C and data[at + 2] == NULL:
        return at
    return UNUSUAL


@part
def is_name(data: Array, at: Number, end: Number, letter: int) -> bool:
    """Whether the key of one letter is at an offset, with at least a byte behind it."""
    return bool(at + 3 <= end and data[at] == 0x61 and data[at + 1] == letter)


@part
def height(data: Array, start: Number, end: Number, state: Array, padding: Array) -> Number:
    """Half the leading zero bits of a key's hash."""
    digest(data, start, end, state, padding)
    zeros = 0
    for index in range(STATE_WORDS):
        word = np.int64(digest_word(state, index))
        for bit in range(32):
            if word >> (31 - bit):
                return (zeros + bit) // 2
        zeros += 32
    return zeros // 2
