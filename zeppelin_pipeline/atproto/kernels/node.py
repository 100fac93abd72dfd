"""What the bytes of a node of a Merkle search tree are made of, in a kernel; how nodes make a tree is told elsewhere.

A node is `{"e": [{"k", "p", "t", "v"}, …], "l"}`, see `mst.node`. Ranges that are given are within the block.
"""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.cbor import LINK_BYTES, header
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.atproto.kernels.sha256 import STATE_WORDS, digest, digest_word
from zeppelin_pipeline.atproto.kernels.spans import copy

MAX_KEY_BYTES: Final = 1024
#: Nodes above one another: a height is 0 to 128, half the bits of a hash.
MAX_DEPTH: Final = 130

NULL: Final = 0xF6
LINK_HEAD: Final = as_bytes(b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20")
#: Of the key of one letter before a field.
NAME_BYTES: Final = 2
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
def open_node(data: Array, start: Number, end: Number) -> tuple[Number, Number, Number]:
    """Of a node: how many entries it is said to have, where the first starts, and where its last field does.

    All are UNUSUAL where there is no node.
    """
    nothing = np.int64(UNUSUAL)
    tail = left_at(data, start, end)
    is_map = end - start >= 4 and data[start] == 0xA2 and data[start + 1] == 0x61 and data[start + 2] == 0x65
    if tail < 0 or not is_map:
        return nothing, nothing, nothing
    entries, at = header(data, start + 3, tail, 4)
    if entries < 0:
        return nothing, nothing, nothing
    return entries, at, tail


@part
def read_entry(data: Array, at: Number, tail: Number) -> tuple[Number, Number, Number, Number, Number]:
    """Of an entry of a node: how its key is made, where its link to a subtree, or null, is, and where it ends.

    Returns:
        How many bytes of the key are the entry's own, where they start, and how many it shares with the key before it;
        the place of the link; the offset behind the link to the record, which is the last of an entry. All are UNUSUAL
        where there is no entry.
    """
    nothing = np.int64(UNUSUAL)
    if at >= tail or data[at] != 0xA4 or not is_name(data, at + 1, tail, 0x6B):
        return nothing, nothing, nothing, nothing, nothing
    size, text_at = header(data, at + 3, tail, 2)
    if size < 1 or size > MAX_KEY_BYTES or not is_name(data, text_at + size, tail, 0x70):
        return nothing, nothing, nothing, nothing, nothing
    shared, name_at = header(data, text_at + size + 2, tail, 0)
    if shared < 0 or not is_name(data, name_at, tail, 0x74):
        return nothing, nothing, nothing, nothing, nothing
    link_at = name_at + 2
    behind = link_at + (1 if data[link_at] == NULL else LINK_BYTES)
    if data[link_at] != NULL and not is_link(data, link_at, tail):
        return nothing, nothing, nothing, nothing, nothing
    if not is_name(data, behind, tail, 0x76) or not is_link(data, behind + 2, tail):
        return nothing, nothing, nothing, nothing, nothing
    return size, text_at, shared, link_at, behind + 2 + LINK_BYTES


@part
def next_key(key: Array, key_size: Number, data: Array, text_at: Number, size: Number, shared: Number) -> Number:
    """Makes of a key in `key` that of the entry behind it; gives its size, UNUSUAL where keys do not rise."""
    if shared > key_size or shared + size > MAX_KEY_BYTES:
        return np.int64(UNUSUAL)
    if shared < key_size and key[shared] >= data[text_at]:
        return np.int64(UNUSUAL)
    return copy(key, shared, data, text_at, text_at + size)


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
