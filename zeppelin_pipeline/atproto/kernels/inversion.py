"""One change undone on the part of a tree that a message carries, in a kernel: what `mst.invert` does, on bytes.

A commit of the network has one operation. Undoing it, an entry goes, comes or gets another record, a leaf comes or
goes, two subtrees become one or one becomes two, the root grows, and above it links change. What else is needed (a root
that shrinks) is left to the careful code.

The nodes on the way are copied but for what the change undoes. So what comes out is a node of the tree before, or
nothing that anybody knows; and if it is, the nodes here were as canonical as that was.
"""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.cbor import LINK_BYTES
from zeppelin_pipeline.atproto.kernels.changed_nodes import with_entry, without_entry
from zeppelin_pipeline.atproto.kernels.compilation import Array, Bytes, BytesOut, Int32s, Int64s, Number, kernel, part
from zeppelin_pipeline.atproto.kernels.frames import Frames, as_bytes, block_of
from zeppelin_pipeline.atproto.kernels.merging import merge
from zeppelin_pipeline.atproto.kernels.node import (
    CID_IN_LINK,
    MAX_DEPTH,
    MAX_KEY_BYTES,
    NULL,
    height,
    next_key,
    open_node,
    read_entry,
)
from zeppelin_pipeline.atproto.kernels.node_writing import (
    copy_link,
    hash_node,
    shared_bytes,
    write_entry,
    write_head,
    write_link,
    write_name,
    write_wrapper,
)
from zeppelin_pipeline.atproto.kernels.sha256 import PADDING_BYTES, STATE_WORDS
from zeppelin_pipeline.atproto.kernels.spans import copy, is_same
from zeppelin_pipeline.atproto.kernels.splitting import split
from zeppelin_pipeline.atproto.mst.diff import Change

_SPARE_BYTES: Final = MAX_KEY_BYTES + 256
#: What a change does, as kernels are told.
CREATE, UPDATE, DELETE = 0, 1, 2
_KEPT, _TO_NULL, _FROM_NULL = 0, 1, 2


def undo_change(frames: Frames, root: int, change: Change) -> bytes | None:
    """The root's CID before a change; null when anything is unusual, or the tree does not show the change.

    Args:
        frames: of the message, their hashes proven.
        root: the number of the root's block.
        change: of one key.
    """
    if len(change.key) > MAX_KEY_BYTES or (change.old_cid is None and change.new_cid is None):
        return None
    kind = CREATE if change.old_cid is None else DELETE if change.new_cid is None else UPDATE
    cid = np.empty(CID_BYTES, np.uint8)
    new, old = as_bytes(change.new_cid or bytes(CID_BYTES)), as_bytes(change.old_cid or bytes(CID_BYTES))
    is_undone = undo(
        frames.data, frames.starts, frames.ends, frames.slots, root, as_bytes(change.key), kind, new, old, cid
    )
    return cid.tobytes() if is_undone else None


@part
def _room(starts: Array, ends: Array) -> Number:
    """Bytes for the largest node that is written."""
    largest = np.int64(0)
    for index in range(len(starts)):
        largest = max(largest, ends[index] - starts[index])
    return 2 * largest + _SPARE_BYTES


@part
def _lift(
    data: Array,
    starts: Array,
    ends: Array,
    nodes: Array,
    gaps: Array,
    counts: Array,
    change: int,
    out: Array,
    cid: Array,
    state: Array,
    padding: Array,
) -> bool:
    """Writes the nodes above, the lowest first, each with the new link to the one below; `cid` is the root's then.

    One without entries goes with what was below it.
    """
    for depth in range(len(nodes) - 1, -1, -1):
        start, end, gap = starts[nodes[depth]], ends[nodes[depth]], gaps[depth]
        if change == _TO_NULL and counts[depth] == 0:
            continue
        size = copy(out, 0, data, start, gap)
        if change == _TO_NULL:
            out[size] = NULL
            size = copy(out, size + 1, data, gap + LINK_BYTES, end)
        else:
            size = write_link(out, size, cid, 0)
            size = copy(out, size, data, gap + (1 if change == _FROM_NULL else LINK_BYTES), end)
        change = _KEPT
        hash_node(out, size, cid, state, padding)
    return change != _TO_NULL


@part
def _wrap(link: Array, layers: Number, out: Array, cid: Array, state: Array, padding: Array) -> None:
    """Puts so many nodes without entries above one; none above nothing."""
    for _ in range(layers):
        if link[0] != NULL:
            hash_node(out, write_wrapper(out, link), cid, state, padding)
            write_link(link, 0, cid, 0)


@kernel
def undo(
    data: Bytes,
    starts: Int64s,
    ends: Int64s,
    slots: Int32s,
    root: Number,
    key: Bytes,
    kind: Number,
    new: Bytes,
    old: Bytes,
    cid: BytesOut,
) -> bool:
    """Undoes one change, see `undo_change`.

    Args:
        data: with the blocks; the next three are those of `Frames`.
        starts: of the blocks.
        ends: of the blocks.
        slots: to find them.
        root: the number of the root's block.
        key: that changed.
        kind: CREATE, UPDATE or DELETE.
        new: the record's CID after the change; not looked at where there is none.
        old: before it, likewise.
        cid: gets the root's CID before the change.

    Returns:
        Whether it was undone; else it is for the careful code.
    """
    out = np.empty(_room(starts, ends), np.uint8)  # for a node, or two in one
    merged = np.empty(LINK_BYTES, np.uint8)
    below, above = np.full(LINK_BYTES, NULL, np.uint8), np.full(LINK_BYTES, NULL, np.uint8)
    state = np.empty(STATE_WORDS, np.uint32)
    padding = np.empty(PADDING_BYTES, np.uint8)
    nodes = np.zeros(MAX_DEPTH, np.int64)  # the nodes above
    gaps = np.zeros(MAX_DEPTH, np.int64)  # where in each the link to the next is
    counts = np.zeros(MAX_DEPTH, np.int64)  # how many entries each has
    current = np.empty(MAX_KEY_BYTES, np.uint8)
    previous = np.empty(MAX_KEY_BYTES, np.uint8)
    key_size = np.int64(len(key))
    key_layer = np.int64(height(key, np.int64(0), key_size, state, padding))
    layer = np.int64(-1)
    node = np.int64(root)
    depth = np.int64(0)
    while True:
        start, end = starts[node], ends[node]
        entries, at, tail = open_node(data, start, end)
        if entries < 0 or (entries == 0 and (depth == 0 or at != tail)):
            return False
        first_at = at
        # The gap that the key would fall into: the place of its link or null, and the key before it.
        gap = tail + 2
        previous_size, current_size = np.int64(0), np.int64(0)
        entry_at, suffix_at, suffix_size = np.int64(-1), np.int64(0), np.int64(0)
        shared, subtree_at, entry_end = np.int64(0), np.int64(0), np.int64(0)
        order = np.int64(-1)  # of the entry behind the gap against the key: 0 is the same, 1 above, -1 there is none
        number = np.int64(0)
        while number < entries:
            size, text_at, prefix, link_at, behind = read_entry(data, at, tail)
            if size < 0 or (layer == 0 and data[link_at] != NULL):
                return False
            before_size = copy(previous, 0, current, 0, current_size)
            current_size = next_key(current, current_size, data, text_at, size, prefix)
            if current_size < 0:
                return False
            if layer < 0:
                layer = np.int64(height(current, np.int64(0), current_size, state, padding))
            same = shared_bytes(current, current_size, key, key_size)
            if same == current_size and same == key_size:
                order = np.int64(0)
            elif same == key_size or (same < current_size and current[same] > key[same]):
                order = np.int64(1)
            if order >= 0:
                entry_at, suffix_at, suffix_size, shared = at, text_at, size, prefix
                subtree_at, entry_end = link_at, behind
                previous_size = before_size
                break
            gap = link_at
            at = behind
            previous_size = current_size
            number += 1
        if order < 0:
            if at != tail:
                return False
            copy(previous, 0, current, 0, current_size)
        is_gap_null = data[gap] == NULL
        if order == 0 or (kind == DELETE and (layer == key_layer or (depth == 0 and layer < key_layer))):
            break
        if is_gap_null:
            if kind != DELETE or layer < key_layer:
                return False
            break
        nodes[depth], gaps[depth], counts[depth] = node, gap, entries
        depth += 1
        if layer == 0 or depth >= MAX_DEPTH:
            return False
        node = np.int64(block_of(data, gap + CID_IN_LINK, data, starts, slots))
        if node < 0:
            return False
        layer -= 1
    change = _KEPT
    if order == 0:
        if layer != key_layer or kind == DELETE or not is_same(data, entry_end - CID_BYTES, new, 0, CID_BYTES):
            return False
        if kind == UPDATE:
            size = copy(out, 0, data, start, end)
            copy(out, entry_end - CID_BYTES - start, old, 0, CID_BYTES)
        else:
            if entries == 1 and data[gap] == NULL and data[subtree_at] == NULL:
                change = _TO_NULL if depth > 0 else _KEPT
            elif entries == 1 and depth == 0:
                return False
            if not merge(data, starts, ends, slots, gap, subtree_at, key, key_size, merged, out, state, padding):
                return False
            size = without_entry(
                out, data, (first_at, tail, end), (gap, entry_at, subtree_at, entry_end),
                number, entries, key, key_size, shared, current, merged,
            )  # fmt: skip
            if size < 0:
                return False
    elif layer == key_layer:
        if not is_gap_null:
            split_at = block_of(data, gap + CID_IN_LINK, data, starts, slots)
            if not split(data, starts, ends, slots, split_at, key, key_size, below, above, out, state, padding):
                return False
        size = with_entry(
            out, data, (first_at, tail, end), gap, (at, suffix_at, suffix_size, shared), number, entries, key, key_size,
            (previous, previous_size), (current, current_size), below, above, old,
        )  # fmt: skip
    elif layer < key_layer:
        if not split(data, starts, ends, slots, node, key, key_size, below, above, out, state, padding):
            return False
        _wrap(below, key_layer - layer - 1, out, cid, state, padding)
        _wrap(above, key_layer - layer - 1, out, cid, state, padding)
        size = write_entry(out, write_head(out, 1), key, 0, key_size, above, old)
        size = copy_link(out, write_name(out, size, 0x6C), below, 0)
    else:
        nodes[depth], gaps[depth], counts[depth] = node, gap, entries
        depth += 1
        size = write_entry(out, write_head(out, 1), key, 0, key_size, above, old)
        size = copy_link(out, write_name(out, size, 0x6C), below, 0)
        if layer > key_layer + 1:
            hash_node(out, size, cid, state, padding)
            write_link(merged, 0, cid, 0)
            _wrap(merged, layer - key_layer - 2, out, cid, state, padding)
            size = write_wrapper(out, merged)
        change = _FROM_NULL
    hash_node(out, size, cid, state, padding)
    return _lift(data, starts, ends, nodes[:depth], gaps, counts, change, out, cid, state, padding)
