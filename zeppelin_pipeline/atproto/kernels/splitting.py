"""A subtree made two, in a kernel: what is below a key that comes back above it, and what is behind that key."""

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

#: What is known of a node that is split: the number of its block, how many entries it has and how many of them are
#: below the key, where the link between the halves is, where the first entry of each half starts, where the bytes
#: behind the key of the second half's first entry are, and where the last field is.
_BLOCK, _ENTRIES, _BELOW, _GAP, _FIRST, _SECOND, _REST, _TAIL, _CELLS = range(9)


@part
def _find(data: Array, start: Number, end: Number, key: Array, key_size: Number, node: Array, above: Array) -> Number:
    """Finds where a key would stand in a node that does not have it, and checks all of the node.

    Args:
        data: with the node.
        start: of the node.
        end: behind it.
        key: sought.
        key_size: of it.
        node: gets what is found, _CELLS numbers, but for the block's.
        above: gets the key of the first entry above.

    Returns:
        The size of that key, 0 when there is none, UNUSUAL for anything else but a node.
    """
    entries, at, tail = open_node(data, start, end)
    node[_ENTRIES], node[_BELOW], node[_GAP], node[_FIRST] = entries, entries, tail + 2, at
    node[_SECOND], node[_REST], node[_TAIL] = tail, tail, tail
    current = np.empty(MAX_KEY_BYTES, np.uint8)
    current_size, above_size = np.int64(0), np.int64(0)
    for number in range(entries):
        size, text_at, shared, link_at, behind = read_entry(data, at, tail)
        if size < 0:
            return UNUSUAL
        current_size = next_key(current, current_size, data, text_at, size, shared)
        if current_size < 0:
            return UNUSUAL
        if above_size == 0:
            same = shared_bytes(current, current_size, key, key_size)
            if same == current_size and same == key_size:
                return UNUSUAL
            if same == key_size or (same < current_size and current[same] > key[same]):
                above_size = copy(above, 0, current, 0, current_size)
                node[_BELOW], node[_SECOND], node[_REST] = number, at, link_at - NAME_BYTES
            else:
                node[_GAP] = link_at
        at = behind
    return above_size if entries >= 0 and at == tail else np.int64(UNUSUAL)


@part
def _write_below(out: Array, data: Array, end: Number, node: Array, link: Array) -> Number:
    """Writes the half below the key, with a link at its end; gives its size, 0 when there is nothing in it."""
    if node[_BELOW] == 0 and link[0] == NULL:
        return np.int64(0)
    size = write_head(out, node[_BELOW])
    if node[_BELOW] == 0:
        return copy_link(out, write_name(out, size, 0x6C), link, 0)
    gap = node[_GAP]
    size = copy(out, size, data, node[_FIRST], gap)
    size = copy_link(out, size, link, 0)
    size = copy(out, size, data, gap + (1 if data[gap] == NULL else LINK_BYTES), node[_SECOND])
    return copy(out, size, data, node[_TAIL], end)


@part
def _write_above(out: Array, data: Array, node: Array, link: Array, key: Array, key_size: Number) -> Number:
    """Writes the half above the key, with a link at its beginning; gives its size, 0 when there is nothing in it."""
    entries = node[_ENTRIES] - node[_BELOW]
    if entries == 0 and link[0] == NULL:
        return np.int64(0)
    size = write_head(out, entries)
    if entries > 0:
        size = write_key(out, size, key, 0, key_size, 0)
        size = copy(out, size, data, node[_REST], node[_TAIL])
    return copy_link(out, write_name(out, size, 0x6C), link, 0)


@part
def _link_to(out: Array, size: Number, link: Array, cid: Array, state: Array, padding: Array) -> None:
    """Puts down the link to what was written; null when that is nothing."""
    if size == 0:
        link[0] = NULL
        return
    hash_node(out, size, cid, state, padding)
    write_link(link, 0, cid, 0)


@part
def split(
    data: Array,
    starts: Array,
    ends: Array,
    slots: Array,
    block: Number,
    key: Array,
    key_size: Number,
    below: Array,
    above: Array,
    out: Array,
    state: Array,
    padding: Array,
) -> bool:
    """Makes two of the subtree of a block, into which a key comes; `below` and `above` get the links to them, or null.

    Each node on the way is split where the key would stand; a half without anything is none, one without entries is a
    node all the same when there is something below it.
    """
    nodes = np.zeros((MAX_DEPTH, _CELLS), np.int64)
    cid, keys = np.empty(CID_BYTES, np.uint8), np.empty((MAX_DEPTH, MAX_KEY_BYTES), np.uint8)
    sizes = np.zeros(MAX_DEPTH, np.int64)
    depth = np.int64(0)
    while True:
        if block < 0 or depth == MAX_DEPTH:
            return False
        node = nodes[depth]
        node[_BLOCK] = block
        sizes[depth] = _find(data, starts[block], ends[block], key, key_size, node, keys[depth])
        if sizes[depth] < 0:
            return False
        depth += 1
        if data[node[_GAP]] == NULL:
            break
        block = block_of(data, node[_GAP] + CID_IN_LINK, data, starts, slots)
    below[0], above[0] = NULL, NULL
    for level in range(depth - 1, -1, -1):
        node = nodes[level]
        _link_to(out, _write_below(out, data, ends[node[_BLOCK]], node, below), below, cid, state, padding)
        _link_to(out, _write_above(out, data, node, above, keys[level], sizes[level]), above, cid, state, padding)
    return True
