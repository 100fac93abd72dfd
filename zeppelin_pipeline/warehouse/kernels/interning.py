"""An open-addressing table of texts: each distinct text once, by a number; and the hash that finds its slot."""

from typing import Any, Final, TypeAlias

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    Bytes,
    BytesOut,
    Int32s,
    Int32sOut,
    Int64s,
    Int64sOut,
    Number,
    Uint64s,
    Uint64sOut,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.spans import copy, is_same
from zeppelin_pipeline.warehouse.kernels.texts import MALFORMED, is_set

Word: TypeAlias = "np.uint64 | Any"

_EMPTY_SLOT: Final = -1
_WORD_BITS: Final = np.uint64(64)
_R16, _R32 = np.uint64(16), np.uint64(32)
_S13, _S17, _S21 = np.uint64(13), np.uint64(17), np.uint64(21)
_SIP_0: Final = np.uint64(0x736F6D6570736575)
_SIP_1: Final = np.uint64(0x646F72616E646F6D)
_SIP_2: Final = np.uint64(0x6C7967656E657261)
_SIP_3: Final = np.uint64(0x7465646279746573)
_SIP_END: Final = np.uint64(0xFF)
_LAST_WORD_SHIFT: Final = np.uint64(56)


@part
def _rotate_left(value: Word, bits: Word) -> Word:
    return (value << bits) | (value >> (_WORD_BITS - bits))


@part
def _sip_round(a: Word, b: Word, c: Word, d: Word) -> tuple[Word, Word, Word, Word]:
    a = a + b
    c = c + d
    b = _rotate_left(b, _S13) ^ a
    d = _rotate_left(d, _R16) ^ c
    a = _rotate_left(a, _R32)
    c = c + b
    a = a + d
    b = _rotate_left(b, _S17) ^ c
    d = _rotate_left(d, _S21) ^ a
    return a, b, _rotate_left(c, _R32), d


@part
def sip_hash(data: Array, start: Number, end: Number, seed0: Word, seed1: Word) -> Word:
    """SipHash-1-3 of `data[start:end]`: fast, and whoever does not know the seeds cannot aim at a slot of a table."""
    a, b, c, d = seed0 ^ _SIP_0, seed1 ^ _SIP_1, seed0 ^ _SIP_2, seed1 ^ _SIP_3
    length = end - start
    whole = start + (length & ~7)
    for position in range(start, whole, 8):
        word = np.uint64(0)
        for index in range(8):
            word |= np.uint64(data[np.uint64(position + index)]) << np.uint64(index << 3)
        d ^= word
        a, b, c, d = _sip_round(a, b, c, d)
        a ^= word
    word = np.uint64(length & 255) << _LAST_WORD_SHIFT
    for index in range(length & 7):
        word |= np.uint64(data[np.uint64(whole + index)]) << np.uint64(index << 3)
    d ^= word
    a, b, c, d = _sip_round(a, b, c, d)
    a ^= word
    c ^= _SIP_END
    for _ in range(3):
        a, b, c, d = _sip_round(a, b, c, d)
    return a ^ b ^ c ^ d


@kernel
def intern(
    offsets: Int32s,
    data: Bytes,
    bitmap: Bytes,
    bit_offset: int,
    rows: Int64s,
    seeds: Uint64s,
    slots: Int32sOut,
    hashes: Uint64sOut,
    starts: Int64sOut,
    arena: BytesOut,
    count: int,
    entries: Int32sOut,
) -> int:
    """Gives each text of an array the number of its entry, making entries for texts that have none.

    Args:
        offsets: of the array, n + 1.
        data: of the array.
        bitmap: the array's validity, empty where it has no nulls.
        bit_offset: where in the bitmap the array begins.
        rows: which of the array's texts are asked for.
        seeds: two words for `sip_hash`.
        slots: the open-addressing table, a power of two, at most half full with all of `rows` new.
        hashes: of the entries, with room for all of `rows`.
        starts: of the entries in the arena, one more than entries.
        arena: the entries' texts, with room for all of `rows`.
        count: of entries.
        entries: written, as long as `rows`: the entry's number, or -1 for null.

    Returns:
        The count of entries now, or MALFORMED.
    """
    mask = np.uint64(len(slots) - 1)
    for place in range(len(rows)):
        row = rows[place]
        if not is_set(bitmap, bit_offset + row):
            entries[place] = -1
            continue
        start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        if start < 0 or end < start or end > len(data):
            return MALFORMED
        length = end - start
        hashed = sip_hash(data, start, end, seeds[0], seeds[1])
        slot = hashed & mask
        while True:
            entry = slots[slot]
            if entry == _EMPTY_SLOT:
                first = starts[count]
                if first + length > len(arena):
                    return MALFORMED
                starts[count + 1] = copy(arena, first, data, start, end)
                hashes[count] = hashed
                slots[slot] = count
                entry = np.int32(count)
                count += 1
                break
            if (
                hashes[entry] == hashed
                and starts[entry + 1] - starts[entry] == length
                and is_same(arena, starts[entry], data, start, length)
            ):
                break
            slot = (slot + np.uint64(1)) & mask
        entries[place] = entry
    return count


@kernel
def fill_slots(slots: Int32sOut, hashes: Uint64s, count: int) -> None:
    """Builds the table of slots anew over the first `count` hashes."""
    mask = np.uint64(len(slots) - 1)
    slots[:] = _EMPTY_SLOT
    for entry in range(count):
        slot = hashes[entry] & mask
        while slots[slot] != _EMPTY_SLOT:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = entry


@kernel
def take_keys(keys: Int64s, entries: Int32s, taken: Int64sOut) -> None:
    """`taken[i] = keys[entries[i]]`, and 0 for null."""
    for place in range(len(entries)):
        entry = entries[place]
        taken[place] = 0 if entry < 0 else keys[entry]
