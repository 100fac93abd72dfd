"""The pieces that a node of a Merkle search tree is written of, in a kernel; which nodes are written is told elsewhere.

Whatever is written goes to `out` from an offset on, and the offset behind it is given. The caller knows of its room.
"""

import numpy as np

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.cbor import LINK_BYTES
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.node import CID_IN_LINK, LINK_HEAD, NULL
from zeppelin_pipeline.atproto.kernels.sha256 import STATE_WORDS, digest, digest_word
from zeppelin_pipeline.atproto.kernels.spans import copy


@part
def write_header(out: Array, at: Number, major: int, argument: Number) -> Number:
    """A canonical header of at most two bytes of argument; an entry's key and a node's number have no more."""
    if argument < 24:
        out[at] = major << 5 | argument
        return at + 1
    if argument < 256:
        out[at], out[at + 1] = major << 5 | 24, argument
        return at + 2
    out[at], out[at + 1], out[at + 2] = major << 5 | 25, argument >> 8, argument & 0xFF
    return at + 3


@part
def write_link(out: Array, at: Number, cid: Array, cid_at: Number) -> Number:
    """A link to a DAG-CBOR block, of a CID at an offset."""
    at = copy(out, at, LINK_HEAD, 0, CID_IN_LINK)
    return copy(out, at, cid, cid_at, cid_at + CID_BYTES)


@part
def write_name(out: Array, at: Number, letter: int) -> Number:
    """The key of one letter."""
    out[at], out[at + 1] = 0x61, letter
    return at + 2


@part
def write_head(out: Array, entries: Number) -> Number:
    """The beginning of a node, up to its entries."""
    out[0] = 0xA2
    return write_header(out, write_name(out, 1, 0x65), 4, entries)


@part
def write_key(out: Array, at: Number, key: Array, start: Number, end: Number, shared: Number) -> Number:
    """The beginning of an entry: `k` (of a whole key's bytes from `start` on) and `p`."""
    out[at] = 0xA4
    at = write_header(out, write_name(out, at + 1, 0x6B), 2, end - start)
    at = copy(out, at, key, start, end)
    return write_header(out, write_name(out, at, 0x70), 0, shared)


@part
def hash_node(out: Array, end: Number, cid: Array, state: Array, padding: Array) -> None:
    """The CID of the bytes."""
    digest(out, np.int64(0), np.int64(end), state, padding)
    cid[0], cid[1], cid[2], cid[3] = 0x01, 0x71, 0x12, 0x20
    for index in range(STATE_WORDS):
        word = np.int64(digest_word(state, index))
        for place in range(4):
            cid[4 + 4 * index + place] = (word >> (24 - 8 * place)) & 0xFF


@part
def shared_bytes(left: Array, left_size: Number, right: Array, right_size: Number) -> Number:
    """How many bytes two keys begin with alike."""
    size = min(left_size, right_size)
    for index in range(size):
        if left[index] != right[index]:
            return np.int64(index)
    return np.int64(size)


@part
def header_bytes(argument: Number) -> Number:
    """The size of what `write_header` writes."""
    return 1 if argument < 24 else 2 if argument < 256 else 3


@part
def write_entry(
    out: Array, at: Number, key: Array, shared: Number, key_size: Number, subtree: Array, record: Array
) -> Number:
    """A whole entry that shares so many bytes with the key before it; `subtree` is the link behind it, or null."""
    at = write_name(out, write_key(out, at, key, shared, key_size, shared), 0x74)
    at = copy_link(out, at, subtree, 0)
    return write_link(out, write_name(out, at, 0x76), record, 0)


@part
def write_wrapper(out: Array, link: Array) -> Number:
    """A whole node without entries, above another one; gives its size."""
    return copy_link(out, write_name(out, write_head(out, 0), 0x6C), link, 0)


@part
def copy_link(out: Array, at: Number, data: Array, link_at: Number) -> Number:
    """A link or null as it is."""
    return copy(out, at, data, link_at, link_at + (1 if data[link_at] == NULL else LINK_BYTES))
