"""Two subtrees made one, in a kernel: what was on the two sides of a key that goes, down to where one of them ends."""

import numpy as np

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.cbor import LINK_BYTES
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, block_of
from zeppelin_pipeline.atproto.kernels.node import (
    CID_IN_LINK,
    MAX_DEPTH,
    MAX_KEY_BYTES,
    NAME_BYTES,
    NULL,
    left_at,
    next_key,
    open_node,
    read_entry,
)
from zeppelin_pipeline.atproto.kernels.node_writing import (
    copy_link,
    hash_node,
    shared_bytes,
    write_head,
    write_key,
    write_link,
    write_name,
)
from zeppelin_pipeline.atproto.kernels.spans import copy


@part
def _last_entry(data: Array, start: Number, end: Number, last: Array) -> tuple[Number, Number, Number, Number, Number]:
    """Of a node: its entries, where the first and the last link are, where its last field is, and the last key's size.

    The last link is the field `l` of a node without entries. `last` gets the last key; all are UNUSUAL for no node.
    """
    nothing = np.int64(UNUSUAL)
    entries, at, tail = open_node(data, start, end)
    first_at, gap, last_size = at, tail + 2, np.int64(0)
    for _ in range(entries):
        size, text_at, shared, gap, at = read_entry(data, at, tail)
        if size < 0:
            return nothing, nothing, nothing, nothing, nothing
        last_size = next_key(last, last_size, data, text_at, size, shared)
        if last_size < 0:
            return nothing, nothing, nothing, nothing, nothing
    if entries < 0 or at != tail:
        return nothing, nothing, nothing, nothing, nothing
    return entries, first_at, gap, tail, last_size


@part
def merge(
    data: Array,
    starts: Array,
    ends: Array,
    slots: Array,
    left_link: Number,
    right_link: Number,
    key: Array,
    key_size: Number,
    merged: Array,
    out: Array,
    state: Array,
    padding: Array,
) -> bool:
    """Makes one of the subtrees on the two sides of a key that goes; `merged` gets the link to it, or null."""
    lefts, rights = np.zeros(MAX_DEPTH, np.int64), np.zeros(MAX_DEPTH, np.int64)
    last, cid = np.empty(MAX_KEY_BYTES, np.uint8), np.empty(CID_BYTES, np.uint8)
    depth = np.int64(0)
    while data[left_link] != NULL and data[right_link] != NULL:
        left = block_of(data, left_link + CID_IN_LINK, data, starts, slots)
        right = block_of(data, right_link + CID_IN_LINK, data, starts, slots)
        if left < 0 or right < 0 or depth == MAX_DEPTH:
            return False
        lefts[depth], rights[depth] = left, right
        depth += 1
        _, _, left_link, _, _ = _last_entry(data, starts[left], ends[left], last)
        right_tail = left_at(data, starts[right], ends[right])
        if left_link < 0 or right_tail < 0:
            return False
        right_link = right_tail + 2
    copy_link(merged, 0, data, right_link if data[left_link] == NULL else left_link)
    for level in range(depth - 1, -1, -1):
        size = _write_merged(
            data, (starts[lefts[level]], ends[lefts[level]]), (starts[rights[level]], ends[rights[level]]),
            key, key_size, merged, last, out,
        )  # fmt: skip
        if size < 0:
            return False
        hash_node(out, size, cid, state, padding)
        write_link(merged, 0, cid, 0)
    return True


@part
def _write_merged(
    data: Array,
    left: tuple[Number, Number],
    right: tuple[Number, Number],
    key: Array,
    key_size: Number,
    between: Array,
    last: Array,
    out: Array,
) -> Number:
    """Writes one node with the entries of two, and a link between them; gives its size, or UNUSUAL.

    All keys of the left one must be below the key that went, and those of the right one above it.
    """
    entries, first_at, gap, tail, last_size = _last_entry(data, left[0], left[1], last)
    more, right_at, _, right_tail, _ = _last_entry(data, right[0], right[1], np.empty(MAX_KEY_BYTES, np.uint8))
    if entries < 0 or more < 0 or entries + more == 0:
        return UNUSUAL
    size = write_head(out, entries + more)
    if entries > 0:
        same = shared_bytes(last, last_size, key, key_size)
        if same == key_size or (same < last_size and last[same] > key[same]):
            return UNUSUAL
        size = copy(out, size, data, first_at, gap)
        size = copy_link(out, size, between, 0)
        size = copy(out, size, data, gap + (1 if data[gap] == NULL else LINK_BYTES), tail)
    if more > 0:
        first_size, text_at, shared, link_at, _ = read_entry(data, right_at, right_tail)
        first = data[text_at : text_at + first_size]
        same = shared_bytes(first, first_size, key, key_size)
        if shared != 0 or same == first_size or (same < key_size and first[same] < key[same]):
            return UNUSUAL
        kept = shared_bytes(last, last_size, first, first_size)
        size = write_key(out, size, first, kept, first_size, kept)
        size = copy(out, size, data, link_at - NAME_BYTES, right_tail)
    if entries > 0:
        return copy(out, size, data, tail, left[1])
    return copy_link(out, write_name(out, size, 0x6C), between, 0)
