"""The walk of a Merkle search tree in a kernel: every key and where its record lies, with all proven that `mst` proves.

The same rules as in `mst.node` and `mst.walk`, on bytes: a node must be its one canonical encoding; shared prefixes as
long as they can be; keys rising over the whole tree, of the height of their node and of a record key's syntax; each
record's block there. The syntax of collections is left to the caller, who sees each once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, kernel, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, Frames, block_of
from zeppelin_pipeline.atproto.kernels.sha256 import PADDING_BYTES, STATE_WORDS, digest, digest_word

#: `{k, p, t, v}` with an empty `k` and no subtree: no entry is shorter, which bounds their number.
_MIN_ENTRY_BYTES: Final = 54
#: Keys take a tenth of a usual CAR. More than half of it are only made by long prefixes shared on purpose.
_KEY_SHARE: Final = 2
_SPARE_KEY_BYTES: Final = 4096
_MAX_KEY_BYTES: Final = 1024
_MAX_RECORD_KEY_BYTES: Final = 512
#: Nodes above one another: a height is 0 to 128, half the bits of a hash.
_MAX_DEPTH: Final = 130

_NULL: Final = 0xF6
_LINK_BYTES: Final = 41
_LINK_HEAD: Final = np.frombuffer(b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20", np.uint8)
_CID_IN_LINK: Final = 5

_SLASH: Final = 2


def _key_characters() -> Array:
    """For each byte whether a record key or collection may have it (1), or it is the slash between them (2)."""
    kinds = np.zeros(256, np.uint8)
    kinds[np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~.:-", np.uint8)] = 1
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
def _argument(data: Array, at: Number, end: Number, major: int) -> tuple[Number, Number]:
    """The argument of the shortest header of a kind at an offset, and the offset behind it; UNUSUAL for all else."""
    if at < 0 or at >= end or data[at] >> 5 != major:
        return UNUSUAL, at
    low = np.int64(data[at] & 0x1F)
    if low < 24:
        return low, at + 1
    if low == 24 and at + 2 <= end and data[at + 1] >= 24:
        return np.int64(data[at + 1]), at + 2
    if low == 25 and at + 3 <= end and data[at + 1] > 0:
        return np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]), at + 3
    if low == 26 and at + 5 <= end and (data[at + 1] > 0 or data[at + 2] > 0):
        high = np.int64(data[at + 1]) << 24 | np.int64(data[at + 2]) << 16
        return high | np.int64(data[at + 3]) << 8 | np.int64(data[at + 4]), at + 5
    return UNUSUAL, at


@part
def _is_link(data: Array, at: Number, end: Number) -> bool:
    """Whether a link to a DAG-CBOR block lies wholly within `data[at:end]`."""
    if at + _LINK_BYTES > end:
        return False
    for index in range(len(_LINK_HEAD)):  # noqa: SIM110 - a generator is an object
        if data[at + index] != _LINK_HEAD[index]:
            return False
    return True


@part
def _left_at(data: Array, start: Number, end: Number) -> Number:
    """Where the last field of a node, `l`, seems to start, seen from its end; UNUSUAL when it does not seem to be one.

    The reader of the entries comes to the same place, or the node is not canonical.
    """
    at = end - _LINK_BYTES - 2
    if at > start and data[at] == 0x61 and data[at + 1] == 0x6C and _is_link(data, at + 2, end):
        return at
    at = end - 3
    if at > start and data[at] == 0x61 and data[at + 1] == 0x6C and data[at + 2] == _NULL:
        return at
    return UNUSUAL


@part
def _is_name(data: Array, at: Number, end: Number, letter: int) -> bool:
    """Whether the key of one letter is at an offset, with at least a byte behind it."""
    return bool(at + 3 <= end and data[at] == 0x61 and data[at + 1] == letter)


@part
def _height(data: Array, start: Number, end: Number, state: Array, padding: Array) -> Number:
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


@part
def _is_below(keys: Array, start: Number, end: Number, next_end: Number) -> bool:
    """Whether `keys[start:end]` is below the key behind it, `keys[end:next_end]`."""
    for index in range(min(end - start, next_end - end)):
        if keys[start + index] != keys[end + index]:
            return keys[start + index] < keys[end + index]
    return bool(end - start < next_end - end)


@part
def _slash_in(keys: Array, start: Number, end: Number) -> Number:
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
    if size < 1 or size > _MAX_RECORD_KEY_BYTES or end - start > _MAX_KEY_BYTES:
        return UNUSUAL
    if keys[slash + 1] == ord(".") and (size == 1 or (size == 2 and keys[slash + 2] == ord("."))):
        return UNUSUAL
    return slash


@part
def _is_same_head(keys: Array, start: Number, other: Number, size: Number) -> bool:
    """Whether two keys have the same first bytes; both have as many, or a slash ends them before."""
    for index in range(size):  # noqa: SIM110 - a generator is an object
        if keys[start + index] != keys[other + index]:
            return False
    return True


@kernel
def _walk(
    data: Array,
    starts: Array,
    ends: Array,
    slots: Array,
    root: Number,
    keys: Array,
    offsets: Array,
    records: Array,
    runs: Array,
) -> tuple[Number, Number]:
    """Walks with a stack of one path of nodes; gives the number of entries and of runs, or UNUSUAL."""
    state = np.empty(STATE_WORDS, np.uint32)
    padding = np.empty(PADDING_BYTES, np.uint8)
    at_of = np.zeros(_MAX_DEPTH, np.int64)  # where the next entry of a node is
    end_of = np.zeros(_MAX_DEPTH, np.int64)  # where its entries end
    left_of = np.zeros(_MAX_DEPTH, np.int64)  # how many entries are left
    last_of = np.zeros(_MAX_DEPTH, np.int64)  # its last entry so far, or -1
    bad = (np.int64(UNUSUAL), np.int64(0))
    count, run_count, run_slash = np.int64(0), np.int64(0), np.int64(0)
    layer, depth = np.int64(UNUSUAL), np.int64(-1)
    node = np.int64(root)
    while True:
        if node >= 0:
            # Opens a node; `layer` is its own, UNUSUAL for the root, whose first key decides.
            start, end = starts[node], ends[node]
            node = np.int64(-1)
            tail = _left_at(data, start, end)
            is_map = end - start >= 4 and data[start] == 0xA2 and data[start + 1] == 0x61 and data[start + 2] == 0x65
            if tail < 0 or not is_map:
                return bad
            entries, at = _argument(data, start + 3, tail, 4)
            if entries < 0 or (entries == 0 and at != tail):
                return bad
            has_left = end - tail > 3
            if entries == 0 and (has_left == (depth < 0) or layer == 0):
                return bad
            if layer < 0 and entries > 0:
                size, key_at = _argument(data, at + 3, tail, 2)
                if size < 1 or key_at + size > tail:
                    return bad
                layer = np.int64(_height(data, key_at, key_at + size, state, padding))
            if (has_left and layer == 0) or depth + 1 >= _MAX_DEPTH:
                return bad
            depth += 1
            at_of[depth], end_of[depth], left_of[depth], last_of[depth] = at, tail, entries, -1
            if has_left:
                node = block_of(data, tail + 2 + _CID_IN_LINK, data, starts, slots)
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
        if at >= end or data[at] != 0xA4 or not _is_name(data, at + 1, end, 0x6B):
            return bad
        size, key_at = _argument(data, at + 3, end, 2)
        if size < 1 or size > _MAX_KEY_BYTES or not _is_name(data, key_at + size, end, 0x70):
            return bad
        shared, at = _argument(data, key_at + size + 2, end, 0)
        if shared < 0 or not _is_name(data, at, end, 0x74):
            return bad
        at += 2
        subtree_at = np.int64(-1)
        if data[at] == _NULL:
            at += 1
        elif layer > 0 and _is_link(data, at, end):
            subtree_at = at + _CID_IN_LINK
            at += _LINK_BYTES
        else:
            return bad
        if not _is_name(data, at, end, 0x76) or not _is_link(data, at + 2, end):
            return bad
        record = block_of(data, at + 2 + _CID_IN_LINK, data, starts, slots)
        at += 2 + _LINK_BYTES
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
        for index in range(shared):
            keys[key_start + index] = keys[last_start + index]
        for index in range(size):
            keys[key_start + shared + index] = data[key_at + index]
        if count > 0 and last != count - 1 and not _is_below(keys, offsets[count - 1], key_start, key_end):
            return bad
        slash = _slash_in(keys, key_start, key_end)
        if slash < 0 or _height(keys, key_start, key_end, state, padding) != layer:
            return bad
        head_size = slash + 1 - key_start
        if (
            run_count == 0
            or head_size != run_slash
            or not _is_same_head(keys, key_start, offsets[runs[run_count - 1]], head_size)
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
        if subtree_at >= 0:
            node = block_of(data, subtree_at, data, starts, slots)
            if node < 0:
                return bad
            layer -= 1
