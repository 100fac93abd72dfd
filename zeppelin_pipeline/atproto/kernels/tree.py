"""The walk of a Merkle search tree in a kernel: every key and where its record lies, with all proven that `mst` proves.

The same rules as in `mst.node` and `mst.walk`, on bytes: a node must be its one canonical encoding; shared prefixes as
long as they can be; keys rising over the whole tree, of the height of their node and of a record key's syntax; each
record's block there. The syntax of collections is left to the caller, who sees each once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.cbor import header
from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    Bytes,
    BytesOut,
    Int32s,
    Int32sOut,
    Int64s,
    Int64sOut,
    Number,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, Frames, as_bytes, block_of
from zeppelin_pipeline.atproto.kernels.node import (
    CID_IN_LINK,
    MAX_DEPTH,
    MAX_KEY_BYTES,
    NULL,
    height,
    open_node,
    read_entry,
)
from zeppelin_pipeline.atproto.kernels.sha256 import PADDING_BYTES, STATE_WORDS
from zeppelin_pipeline.atproto.kernels.spans import copy, is_same
from zeppelin_pipeline.atproto.mst.walk import KEY_CHARACTERS

#: `{k, p, t, v}` with an empty `k` and no subtree: no entry is shorter, which bounds their number.
_MIN_ENTRY_BYTES: Final = 54
#: Keys take a tenth of a usual CAR. More than half of it are only made by long prefixes shared on purpose.
_KEY_SHARE: Final = 2
_SPARE_KEY_BYTES: Final = 4096
_MAX_RECORD_KEY_BYTES: Final = 512
_SLASH: Final = 2


def _key_characters() -> Array:
    """For each byte whether a record key or collection may have it (1), or it is the slash between them (2)."""
    kinds = np.zeros(256, np.uint8)
    kinds[as_bytes(KEY_CHARACTERS)] = 1
    kinds[ord("/")] = _SLASH
    return kinds


_KEY_CHARACTERS: Final = _key_characters()


@dataclass(frozen=True, slots=True)
class Tree:
    """The entries of a tree, ascending by key.

    Attributes:
        keys: all keys, one behind the other.
        offsets: key i is `keys[offsets[i]:offsets[i + 1]]`.
        records: the number of each record's block.
        runs: the first entry of each collection.
    """

    keys: Array
    offsets: Array
    records: Array
    runs: Array


def walk_tree(frames: Frames, root: Number) -> Tree | None:
    """Walks the tree whose root is a block's number; null when anything is unusual, or there are very long keys."""
    most = len(frames.data) // _MIN_ENTRY_BYTES + 1
    # What is not written takes no memory.
    keys = np.empty(len(frames.data) // _KEY_SHARE + _SPARE_KEY_BYTES, np.uint8)
    offsets, runs = np.zeros(most + 1, np.int64), np.empty(most, np.int64)
    records = np.empty(most, np.int32)
    count, run_count = _walk(frames.data, frames.starts, frames.ends, frames.slots, root, keys, offsets, records, runs)
    if count == UNUSUAL:
        return None
    return Tree(keys[: offsets[count]], offsets[: count + 1], records[:count], runs[:run_count])


@part
def _is_below(keys: Array, start: Number, end: Number, next_end: Number) -> bool:
    """Whether `keys[start:end]` is below the key behind it, `keys[end:next_end]`."""
    for index in range(min(end - start, next_end - end)):
        if keys[start + index] != keys[end + index]:
            return keys[start + index] < keys[end + index]
    return bool(end - start < next_end - end)


@part
def slash_in(keys: Array, start: Number, end: Number) -> Number:
    """Where the slash of `collection/rkey` is; UNUSUAL when it is not of that form. The NSID's own is not looked at."""
    slash = UNUSUAL
    for index in range(start, end):
        kind = _KEY_CHARACTERS[keys[index]]
        if kind == _SLASH:
            if slash != UNUSUAL:
                return UNUSUAL
            slash = index
        elif kind == 0:
            return UNUSUAL
    if slash == UNUSUAL:
        return UNUSUAL
    size = end - slash - 1
    if size < 1 or size > _MAX_RECORD_KEY_BYTES or end - start > MAX_KEY_BYTES:
        return UNUSUAL
    if keys[slash + 1] == ord(".") and (size == 1 or (size == 2 and keys[slash + 2] == ord("."))):
        return UNUSUAL
    return slash


@kernel
def _walk(
    data: Bytes,
    starts: Int64s,
    ends: Int64s,
    slots: Int32s,
    root: Number,
    keys: BytesOut,
    offsets: Int64sOut,
    records: Int32sOut,
    runs: Int64sOut,
) -> tuple[Number, Number]:
    """Walks with a stack of one path of nodes; gives the number of entries and of runs, or UNUSUAL."""
    state = np.empty(STATE_WORDS, np.uint32)
    padding = np.empty(PADDING_BYTES, np.uint8)
    at_of = np.zeros(MAX_DEPTH, np.int64)  # where the next entry of a node is
    end_of = np.zeros(MAX_DEPTH, np.int64)  # where its entries end
    left_of = np.zeros(MAX_DEPTH, np.int64)  # how many entries are left
    last_of = np.zeros(MAX_DEPTH, np.int64)  # its last entry so far, or -1
    bad = (np.int64(UNUSUAL), np.int64(0))
    count, run_count, run_slash = np.int64(0), np.int64(0), np.int64(0)
    layer, depth = np.int64(UNUSUAL), np.int64(-1)
    node = np.int64(root)
    while True:
        if node >= 0:
            # Opens a node; `layer` is its own, UNUSUAL for the root, whose first key decides.
            start, end = starts[node], ends[node]
            node = np.int64(-1)
            entries, at, tail = open_node(data, start, end)
            if entries < 0 or (entries == 0 and at != tail):
                return bad
            has_left = end - tail > 3
            if entries == 0 and (has_left == (depth < 0) or layer == 0):
                return bad
            if layer < 0 and entries > 0:
                size, key_at = header(data, at + 3, tail, 2)
                if size < 1 or key_at + size > tail:
                    return bad
                layer = np.int64(height(data, key_at, key_at + size, state, padding))
            if (has_left and layer == 0) or depth + 1 >= MAX_DEPTH:
                return bad
            depth += 1
            at_of[depth], end_of[depth], left_of[depth], last_of[depth] = at, tail, entries, -1
            if has_left:
                node = block_of(data, tail + 2 + CID_IN_LINK, data, starts, slots)
                if node < 0:
                    return bad
                layer -= 1
            continue
        if left_of[depth] == 0:
            if at_of[depth] != end_of[depth]:
                return bad
            depth -= 1
            layer += 1
            if depth < 0:
                return count, run_count
            continue
        # Reads an entry: {k: the rest of the key, p: bytes shared, t: subtree or null, v: record}.
        at, end = at_of[depth], end_of[depth]
        size, key_at, shared, link_at, at = read_entry(data, at, end)
        if size < 0:
            return bad
        has_subtree = data[link_at] != NULL
        if has_subtree and layer <= 0:
            return bad
        record = block_of(data, at - CID_BYTES, data, starts, slots)
        # Makes the key from the one before it in this node.
        last = last_of[depth]
        last_start = offsets[last] if last >= 0 else np.int64(0)
        last_size = offsets[last + 1] - last_start if last >= 0 else np.int64(0)
        key_start = offsets[count]
        key_end = key_start + shared + size
        if record < 0 or shared > last_size or key_end > len(keys) or count + 1 >= len(offsets):
            return bad
        if shared < last_size and keys[last_start + shared] >= data[key_at]:
            return bad
        copy(keys, key_start, keys, last_start, last_start + shared)
        copy(keys, key_start + shared, data, key_at, key_at + size)
        if count > 0 and last != count - 1 and not _is_below(keys, offsets[count - 1], key_start, key_end):
            return bad
        slash = slash_in(keys, key_start, key_end)
        if slash < 0 or height(keys, key_start, key_end, state, padding) != layer:
            return bad
        head_size = slash + 1 - key_start
        if (
            run_count == 0
            or head_size != run_slash
            or not is_same(keys, key_start, keys, offsets[runs[run_count - 1]], head_size)
        ):
            runs[run_count] = count
            run_count += 1
            run_slash = head_size
        records[count] = record
        offsets[count + 1] = key_end
        last_of[depth] = count
        at_of[depth] = at
        left_of[depth] -= 1
        count += 1
        if has_subtree:
            node = block_of(data, link_at + CID_IN_LINK, data, starts, slots)
            if node < 0:
                return bad
            layer -= 1
