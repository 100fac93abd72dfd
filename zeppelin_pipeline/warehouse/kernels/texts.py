"""Texts and bytes by their place in Arrow's buffers: what is null, what is a TID or a digest."""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    Bytes,
    BytesOut,
    Int32s,
    Int32sOut,
    Int64sOut,
    Number,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.spans import copy, is_same
from zeppelin_pipeline.atproto.tid import ALPHABET

#: What a loop answers when an array's offsets leave its data.
MALFORMED: Final = -1
#: What `slice_digests` answers when a CID has another form.
OTHER_FORM: Final = -2

_TID_LENGTH: Final = 13
_NOT_IN_ALPHABET: Final = 255
_FIRST_DIGIT_LIMIT: Final = 8  # 3 bits above the 60 of the other digits: at most 2^63 - 1
_CID_BYTES: Final = 36
_DIGEST_BYTES: Final = 32


def _digit_table() -> Array:
    table = np.full(256, _NOT_IN_ALPHABET, dtype=np.uint8)
    table[np.frombuffer(ALPHABET.encode(), dtype=np.uint8)] = np.arange(32, dtype=np.uint8)
    return table


_DIGITS: Final = _digit_table()


@part
def is_set(bitmap: Array, position: Number) -> bool:
    """Whether Arrow's validity bitmap has a bit; without a bitmap there are no nulls."""
    return len(bitmap) == 0 or (bitmap[position >> 3] >> (position & 7)) & 1 == 1


@kernel
def read_tids(offsets: Int32s, data: Bytes, bitmap: Bytes, bit_offset: int, keys: Int64sOut, others: Int64sOut) -> int:
    """Each text's integer where it is a TID below 2^63, else 0.

    Args:
        offsets: of the array, n + 1.
        data: of the array.
        bitmap: the array's validity, empty where it has no nulls.
        bit_offset: where in the bitmap the array begins.
        keys: written, n.
        others: written: the positions of texts that are no such TIDs; room for n.

    Returns:
        How many others there are, or MALFORMED.
    """
    other_count = 0
    for row in range(len(offsets) - 1):
        keys[row] = 0
        if not is_set(bitmap, bit_offset + row):
            continue
        start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        if start < 0 or end < start or end > len(data):
            return MALFORMED
        is_tid = end - start == _TID_LENGTH and _DIGITS[data[start]] < _FIRST_DIGIT_LIMIT
        value = np.int64(0)
        if is_tid:
            for position in range(start, end):
                digit = _DIGITS[data[position]]
                if digit == _NOT_IN_ALPHABET:
                    is_tid = False
                    break
                value = (value << np.int64(5)) | np.int64(digit)
        if is_tid:
            keys[row] = value
        else:
            others[other_count] = row
            other_count += 1
    return other_count


@kernel
def slice_digests(
    offsets: Int32s, data: Bytes, bitmap: Bytes, bit_offset: int, prefix: Bytes, ends: Int32sOut, digests: BytesOut
) -> int:
    """The last 32 bytes of each CID, one after the other.

    Args:
        offsets: of the array, n + 1.
        data: of the array.
        bitmap: the array's validity, empty where it has no nulls.
        bit_offset: where in the bitmap the array begins.
        prefix: what every CID begins with, 4 bytes.
        ends: written, n + 1: the offsets of the digests; a null's is empty.
        digests: written; room for n.

    Returns:
        0, MALFORMED, or OTHER_FORM.
    """
    position = np.int64(0)
    ends[0] = 0
    for row in range(len(offsets) - 1):
        if is_set(bitmap, bit_offset + row):
            start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
            if start < 0 or end < start or end > len(data):
                return MALFORMED
            if end - start != _CID_BYTES or not is_same(data, start, prefix, 0, len(prefix)):
                return OTHER_FORM
            position = copy(digests, position, data, end - _DIGEST_BYTES, end)
        ends[row + 1] = position
    return 0
