"""The frames of a CAR whose blocks have CIDs of the usual form, their hashes proven, and a table to find them by CID.

A block lies at `data[starts[i]:ends[i]]`, and its CID in the 36 bytes before it. 20 to 28 bytes of memory a block.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from zeppelin_pipeline.atproto.car import CarData
from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.compilation import Array, Bytes, Int32s, Int64s, Number, kernel, part
from zeppelin_pipeline.atproto.kernels.sha256 import PADDING_BYTES, STATE_WORDS, digest, is_digest
from zeppelin_pipeline.atproto.kernels.spans import is_same

#: What kernels give instead of a number when they leave the input to the careful code.
UNUSUAL: Final = -1
_CID: Final = CID_BYTES
_NO_BLOCK: Final = -1


@dataclass(frozen=True, slots=True)
class Frames:
    """The proven blocks of a CAR.

    Attributes:
        data: the whole file.
        starts: where each block starts.
        ends: where it ends.
        slots: the table: a block's number, or -1; its size is a power of two, at most half of it taken.
    """

    data: Array
    starts: Array
    ends: Array
    slots: Array


def as_bytes(data: CarData | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """An array over the same memory, read-only, so that kernels are compiled for one kind of array."""
    array = data.view() if isinstance(data, np.ndarray) else np.frombuffer(data, dtype=np.uint8)
    array.flags.writeable = False
    return array


def read_frames(data: Array, at: Number, max_blocks: int) -> Frames | None:
    """All blocks from the frame at an offset on, each with the hash that its CID says; null when anything is unusual.

    Args:
        data: the whole file, from `as_bytes`.
        at: where the first frame starts.
        max_blocks: more, counted with those that come twice, are unusual.
    """
    is_usual, starts, ends, slots = index_frames(data, at, max_blocks)
    return Frames(data, starts, ends, slots) if is_usual else None


def find_block(frames: Frames, cid: bytes) -> int:
    """The number of the block of a CID, -1 when there is none."""
    if len(cid) != CID_BYTES:
        return _NO_BLOCK
    return int(_find_cid(as_bytes(cid), frames.data, frames.starts, frames.slots))


@kernel
def index_frames(data: Bytes, at: Number, max_blocks: int) -> tuple[bool, Array, Array, Array]:
    """What `read_frames` gives, for kernels: whether all is usual, then starts, ends and slots."""
    counted = _count_frames(data, at, max_blocks)
    count = max(0, counted)
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    size = 16
    while size <= 2 * count:
        size *= 2
    slots = np.full(size, _NO_BLOCK, np.int32)
    is_usual = counted != UNUSUAL and _read_frames(data, at, starts, ends, slots)
    return is_usual, starts, ends, slots


@part
def _frame_length(data: Array, at: Number) -> tuple[Number, Number]:
    """The varint at an offset and the offset behind it; UNUSUAL for one of five bytes, cut off, or not the shortest."""
    length = np.int64(0)
    for index in range(4):
        if at + index >= len(data):
            return UNUSUAL, at
        byte = np.int64(data[at + index])
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return (UNUSUAL if byte == 0 and index > 0 else length), at + index + 1
    return UNUSUAL, at


@part
def _count_frames(data: Array, at: Number, max_blocks: int) -> int:
    count = 0
    while at < len(data):
        length, start = _frame_length(data, at)
        if length < _CID or start + length > len(data) or count == max_blocks:
            return UNUSUAL
        count += 1
        at = start + length
    return count


@part
def _has_usual_prefix(data: Array, at: Number) -> bool:
    """Whether the CID at an offset, whose bytes are there, is of version 1, DAG-CBOR or raw, SHA-256."""
    codec = data[at + 1]
    is_known = codec == 0x71 or codec == 0x55  # noqa: PLR1714 - a set would be made anew each time
    return is_known and data[at] == 0x01 and data[at + 2] == 0x12 and data[at + 3] == 0x20


@part
def _read_frames(data: Array, at: Number, starts: Array, ends: Array, slots: Array) -> bool:
    """Reads what `_count_frames` has counted, so that lengths are within the data."""
    state = np.empty(STATE_WORDS, np.uint32)
    padding = np.empty(PADDING_BYTES, np.uint8)
    for index in range(len(starts)):
        length, cid_at = _frame_length(data, at)
        at = cid_at + length
        start = cid_at + _CID
        if not _has_usual_prefix(data, cid_at):
            return False
        digest(data, start, at, state, padding)
        if not is_digest(state, data, cid_at + 4):
            return False
        starts[index] = start
        ends[index] = at
        slot = _slot_of(data, cid_at, data, starts, slots)
        if slots[slot] == _NO_BLOCK:
            slots[slot] = index
    return True


@part
def _slot_of(cids: Array, cid_at: Number, data: Array, starts: Array, slots: Array) -> Number:
    """The slot that holds the block of a CID, or the empty one where it would stand. Half of the slots are empty."""
    mask = len(slots) - 1
    slot = (
        np.int64(cids[cid_at + 4])
        | np.int64(cids[cid_at + 5]) << 8
        | np.int64(cids[cid_at + 6]) << 16
        | np.int64(cids[cid_at + 7]) << 24
    ) & mask
    while slots[slot] != _NO_BLOCK:
        other_at = starts[slots[slot]] - _CID
        if is_same(cids, cid_at, data, other_at, _CID):
            break
        slot = (slot + 1) & mask
    return slot


@part
def block_of(cids: Array, cid_at: Number, data: Array, starts: Array, slots: Array) -> Number:
    """The number of the block whose CID is the 36 bytes, which are there, at an offset; -1 when there is none."""
    return np.int64(slots[_slot_of(cids, cid_at, data, starts, slots)])


@kernel
def _find_cid(cid: Bytes, data: Bytes, starts: Int64s, slots: Int32s) -> Number:
    return block_of(cid, 0, data, starts, slots)
