"""Strong references to posts within blocks, packed as `warehouse/packing.py` tells."""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    Bytes,
    BytesOut,
    Int32s,
    Int32sOut,
    Number,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.atproto.kernels.spans import copy, is_same
from zeppelin_pipeline.atproto.tid import ALPHABET
from zeppelin_pipeline.warehouse.kernels.texts import MALFORMED
from zeppelin_pipeline.warehouse.packing import (
    CID_HEAD,
    DIGEST_BYTES,
    GAP_BYTES,
    IS_REPEATED,
    MOST_REFERENCES,
    PACKED_BYTES,
    PLC_BYTES,
    URI_HEAD,
    URI_MIDDLE,
)

#: What `pack_references` answers when a block begins as a packed one does.
NO_BLOCK: Final = -2

_CID_HEAD: Final = as_bytes(CID_HEAD)
_URI_HEAD: Final = as_bytes(URI_HEAD)
_URI_MIDDLE: Final = as_bytes(URI_MIDDLE)
_CID_DIGITS: Final = 52
_PLC_DIGITS: Final = 24
_TID_DIGITS: Final = 13
_CID_AT: Final = len(CID_HEAD)
_URI_HEAD_AT: Final = _CID_AT + _CID_DIGITS
_PLC_AT: Final = _URI_HEAD_AT + len(URI_HEAD)
_URI_MIDDLE_AT: Final = _PLC_AT + _PLC_DIGITS
_TID_AT: Final = _URI_MIDDLE_AT + len(URI_MIDDLE)
_REFERENCE_BYTES: Final = _TID_AT + _TID_DIGITS
#: A TID whose first digit is this or above has the sign bit of 64: it is no key of a record (`keys.py`).
_FIRST_OF_NEGATIVE: Final = ord(ALPHABET[8])
_BITS: Final = 8
_NO_DIGIT: Final = 255


def _values(alphabet: str) -> Array:
    table = np.full(256, _NO_DIGIT, np.uint8)
    table[as_bytes(alphabet.encode())] = np.arange(32, dtype=np.uint8)
    return table


_BASE32: Final = _values("abcdefghijklmnopqrstuvwxyz234567")
_TID: Final = _values(ALPHABET)


@part
def _read_digits(data: Array, at: Number, end: Number, values: Array, first: Number, out: Array, to: Number) -> bool:
    """Writes the bytes that digits of 5 bits spell, the first one of fewer; whether they spell any.

    Bits that are left behind the last byte must be zero.
    """
    bits, held, width = np.int64(0), np.int64(0), first
    for index in range(at, end):
        value = np.int64(values[data[np.uint64(index)]])
        if value >= 1 << width:
            return False
        held = (held << width) | value
        bits += width
        width = np.int64(5)
        if bits >= _BITS:
            bits -= _BITS
            out[np.uint64(to)] = held >> bits
            held &= (1 << bits) - 1
            to += 1
    return held == 0


@part
def _write_reference(data: Array, at: Number, out: Array, to: Number) -> bool:
    """Writes the packed form of what stands at an offset; whether it is a reference to a post."""
    return (
        is_same(data, at + _URI_HEAD_AT, _URI_HEAD, 0, len(_URI_HEAD))
        and is_same(data, at + _URI_MIDDLE_AT, _URI_MIDDLE, 0, len(_URI_MIDDLE))
        and _read_digits(data, at + _CID_AT, at + _URI_HEAD_AT, _BASE32, 3, out, to)
        and _read_digits(data, at + _PLC_AT, at + _URI_MIDDLE_AT, _BASE32, 5, out, to + DIGEST_BYTES)
        and data[np.uint64(at + _TID_AT)] < _FIRST_OF_NEGATIVE
        and _read_digits(data, at + _TID_AT, at + _REFERENCE_BYTES, _TID, 4, out, to + DIGEST_BYTES + PLC_BYTES)
    )


@part
def _write_gap(out: Array, to: Number, gap: Number) -> Number:
    out[np.uint64(to)] = gap >> 8
    out[np.uint64(to + 1)] = gap & 255
    return to + GAP_BYTES


@part
def _pack(data: Array, start: Number, end: Number, out: Array, to: Number) -> Number:
    """Writes one block; gives the offset behind it."""
    begin, done, last = to, start, np.int64(-1)
    count = 0
    at = start
    while at <= end - _REFERENCE_BYTES and count < MOST_REFERENCES and at - done < IS_REPEATED:
        if data[np.uint64(at)] != _CID_HEAD[0] or not is_same(data, at, _CID_HEAD, 0, len(_CID_HEAD)):
            at += 1
            continue
        behind = to + GAP_BYTES + at - done + (count == 0)
        if last >= 0 and is_same(data, at, data, last, _REFERENCE_BYTES):
            gap = (at - done) | IS_REPEATED
        elif _write_reference(data, at, out, behind):
            gap = at - done
            last = at
            behind += PACKED_BYTES
        else:
            at += 1
            continue
        copy(out, _write_gap(out, to + (count == 0), gap), data, done, at)
        count += 1
        to = behind
        at += _REFERENCE_BYTES
        done = at
    if count:
        out[np.uint64(begin)] = count
    return copy(out, to, data, done, end)


@kernel
def pack_references(offsets: Int32s, data: Bytes, ends: Int32sOut, packed: BytesOut) -> int:
    """Each block of an array without nulls, with its references to posts packed.

    Args:
        offsets: of the array, n + 1.
        data: of the array.
        ends: written, n + 1: the offsets of what is packed.
        packed: written; room for as many bytes as the blocks have.

    Returns:
        0, MALFORMED, or NO_BLOCK.
    """
    position = np.int64(0)
    ends[0] = 0
    for row in range(len(offsets) - 1):
        start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        if start < 0 or end < start or end > len(data):
            return MALFORMED
        if end > start and 0 < data[start] <= MOST_REFERENCES:
            return NO_BLOCK
        position = _pack(data, start, end, packed, position)
        ends[row + 1] = position
    return 0
