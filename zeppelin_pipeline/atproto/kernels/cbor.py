"""Canonical DAG-CBOR in a kernel: headers, texts, links, and whole values stepped over. No lexicon here.

A reader gets an offset that it need not trust and the end of its block; it gives the offset behind what it has read,
or UNUSUAL for anything that is not canonical, not there, or of another kind. Every reader refuses UNUSUAL as an offset.
"""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes

UNSIGNED: Final = 0
BYTES: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5

LINK_BYTES: Final = 41
#: Containers within a record's own map: two less than the data model's limit, which the careful code keeps.
_MAX_DEPTH: Final = 30
#: What `skip_value` works in.
STACK_CELLS: Final = 4 * _MAX_DEPTH

_EIGHT_BYTES: Final = 0x1B
_MAX_INTEGER_FIRST_BYTE: Final = 0x7F
_LINK_START: Final = as_bytes(b"\xd8\x2a\x58\x25\x00\x01")


@part
def header(data: Array, at: Number, end: Number, major: Number) -> tuple[Number, Number]:
    """The argument, below 2**32, of the shortest header of a kind, and the offset behind it; both UNUSUAL otherwise."""
    if at < 0 or at >= end or data[at] >> 5 != major:
        return UNUSUAL, UNUSUAL
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
    return UNUSUAL, UNUSUAL


@part
def unsigned(data: Array, at: Number, end: Number) -> tuple[Number, Number]:
    """A number of at most 63 bits, and the offset behind it; both UNUSUAL otherwise."""
    value, behind = header(data, at, end, UNSIGNED)
    if behind >= 0 or at < 0 or at + 9 > end or data[at] != _EIGHT_BYTES or data[at + 1] > _MAX_INTEGER_FIRST_BYTE:
        return value, behind
    value = np.int64(0)
    for index in range(at + 1, at + 9):
        value = value << 8 | np.int64(data[index])
    return (value, at + 9) if value >> 32 else (np.int64(UNUSUAL), np.int64(UNUSUAL))


@part
def text(data: Array, at: Number, end: Number) -> tuple[Number, Number]:
    """Where a text starts and ends, wholly within the block; its bytes are not looked at. Both UNUSUAL otherwise."""
    size, start = header(data, at, end, TEXT)
    if start < 0 or start + size > end:
        return UNUSUAL, UNUSUAL
    return start, start + size


@part
def expect(data: Array, at: Number, end: Number, wanted: Array) -> Number:
    """The offset behind the wanted bytes when they are there."""
    if at < 0 or at + len(wanted) > end:
        return UNUSUAL
    for index in range(len(wanted)):
        if data[np.uint64(at + index)] != wanted[index]:
            return UNUSUAL
    return at + len(wanted)


@part
def is_equal(data: Array, start: Number, end: Number, wanted: Array) -> bool:
    """Whether `data[start:end]`, which is there, are the wanted bytes."""
    return bool(end - start == len(wanted) and expect(data, start, end, wanted) == end)


@part
def characters(data: Array, start: Number, end: Number) -> Number:
    """How many characters `data[start:end]`, which is there, holds as UTF-8; UNUSUAL when it is not UTF-8."""
    count = 0
    at = start
    while at < end:
        first = data[at]
        count += 1
        if first < 0x80:
            at += 1
            continue
        if 0xC2 <= first <= 0xDF:
            more, low, high = 1, 0x80, 0xBF
        elif 0xE0 <= first <= 0xEF:
            # Not the long way to write what fits two bytes, and no half of a pair of UTF-16.
            more, low, high = 2, 0xA0 if first == 0xE0 else 0x80, 0x9F if first == 0xED else 0xBF
        elif 0xF0 <= first <= 0xF4:
            more, low, high = 3, 0x90 if first == 0xF0 else 0x80, 0x8F if first == 0xF4 else 0xBF
        else:
            return UNUSUAL
        if at + more >= end or data[at + 1] < low or data[at + 1] > high:
            return UNUSUAL
        for index in range(2, more + 1):
            if data[at + index] < 0x80 or data[at + index] > 0xBF:
                return UNUSUAL
        at += more + 1
    return count


@part
def link(data: Array, at: Number, end: Number, codec: Number) -> Number:
    """Steps over a link to a block of a codec, by SHA-256."""
    if at < 0 or at + LINK_BYTES > end:
        return UNUSUAL
    for index in range(len(_LINK_START)):
        if data[at + index] != _LINK_START[index]:
            return UNUSUAL
    if data[at + 6] != codec or data[at + 7] != 0x12 or data[at + 8] != 0x20:
        return UNUSUAL
    return at + LINK_BYTES


@part
def is_below(data: Array, start: Number, end: Number, other_start: Number, other_end: Number) -> bool:
    """Whether one key of a map may stand before another: the shorter first, then by bytes."""
    if end - start != other_end - other_start:
        return bool(end - start < other_end - other_start)
    for index in range(end - start):
        if data[start + index] != data[other_start + index]:
            return bool(data[start + index] < data[other_start + index])
    return False


@part
def _scalar(data: Array, at: Number, end: Number) -> Number:
    """Steps over an integer, byte string, text, link, truth value or null."""
    major = data[at] >> 5
    if major <= 1:
        size, behind = header(data, at, end, major)
        if behind < 0 and data[at] & 0x1F == 27 and at + 9 <= end and data[at + 1] <= _MAX_INTEGER_FIRST_BYTE:
            is_short = data[at + 1] == 0 and data[at + 2] == 0 and data[at + 3] == 0 and data[at + 4] == 0
            return UNUSUAL if is_short else at + 9
        return behind if size >= 0 else UNUSUAL
    if major == BYTES:
        size, start = header(data, at, end, BYTES)
        # What has a CID's size may be one, which decoded values do not tell from a link.
        return start + size if start >= 0 and start + size <= end and size != 36 else UNUSUAL
    if major == TEXT:
        start, behind = text(data, at, end)
        return behind if start >= 0 and characters(data, start, behind) >= 0 else UNUSUAL
    if data[at] == 0xD8:
        behind = link(data, at, end, 0x71)
        return behind if behind >= 0 else link(data, at, end, 0x55)
    return at + 1 if 0xF4 <= data[at] <= 0xF6 else UNUSUAL


@part
def skip_value(data: Array, at: Number, end: Number, stack: Array) -> Number:
    """Steps over any canonical value; `stack` has STACK_CELLS numbers to work in."""
    depth = 0
    while True:
        if at < 0 or at >= end:
            return UNUSUAL
        major = data[at] >> 5
        if major >= ARRAY and major <= MAP:
            count, at = header(data, at, end, major)
            if at < 0 or depth == _MAX_DEPTH:
                return UNUSUAL
            stack[4 * depth] = count
            stack[4 * depth + 1] = major
            stack[4 * depth + 2] = 0
            stack[4 * depth + 3] = 0
            depth += 1
        else:
            at = _scalar(data, at, end)
        while depth > 0 and at >= 0 and stack[4 * depth - 4] == 0:
            depth -= 1
        if depth == 0 or at < 0:
            return at
        top = 4 * depth - 4
        stack[top] -= 1
        if stack[top + 1] == MAP:
            start, behind = text(data, at, end)
            if start < 0 or characters(data, start, behind) < 0:
                return UNUSUAL
            if stack[top + 3] > 0 and not is_below(data, stack[top + 2], stack[top + 3], start, behind):
                return UNUSUAL
            stack[top + 2] = start
            stack[top + 3] = behind
            at = behind
