"""Keyed BLAKE2b (RFC 7693) of many short texts: the loop behind the keys of accounts and record keys."""

from typing import Any, Final, TypeAlias

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import Array, Bytes, Int64s, Uint64s, Uint64sOut, kernel, part
from zeppelin_pipeline.warehouse.kernels.texts import MALFORMED

Word: TypeAlias = "np.uint64 | Any"

#: Section 2.6.
BLAKE2B_IV: Final = np.array(
    [
        *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
        *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
    ],
    np.uint64,
)
_SIGMA: Final = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    np.int64,
)
_BLOCK_BYTES: Final = 128
_WORD_BITS: Final = np.uint64(64)
_BYTE_BITS: Final = np.uint64(8)
_BYTE: Final = np.uint64(0xFF)
_LAST: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_NOT_LAST: Final = np.uint64(0)
_R32, _R24, _R16, _R63 = np.uint64(32), np.uint64(24), np.uint64(16), np.uint64(63)


@part
def _rotate_right(value: Word, bits: Word) -> Word:
    return (value >> bits) | (value << (_WORD_BITS - bits))


@part
def _mix(a: Word, b: Word, c: Word, d: Word, x: Word, y: Word) -> tuple[Word, Word, Word, Word]:
    """G of section 3.1."""
    a = a + b + x
    d = _rotate_right(d ^ a, _R32)
    c = c + d
    b = _rotate_right(b ^ c, _R24)
    a = a + b + y
    d = _rotate_right(d ^ a, _R16)
    c = c + d
    b = _rotate_right(b ^ c, _R63)
    return a, b, c, d


@part
def compress(state: Array, message: Array, hashed_bytes: Word, last: Word) -> None:
    """F of section 3.2: takes one block of 16 words into the state of 8.

    Args:
        state: changed in place.
        message: the block, its words little-endian.
        hashed_bytes: with this block; texts are shorter than 2^64 bytes.
        last: all ones where the block ends the message, else 0.
    """
    v0, v1, v2, v3 = state[0], state[1], state[2], state[3]
    v4, v5, v6, v7 = state[4], state[5], state[6], state[7]
    v8, v9, v10, v11 = BLAKE2B_IV[0], BLAKE2B_IV[1], BLAKE2B_IV[2], BLAKE2B_IV[3]
    v12, v13, v14, v15 = BLAKE2B_IV[4] ^ hashed_bytes, BLAKE2B_IV[5], BLAKE2B_IV[6] ^ last, BLAKE2B_IV[7]
    for turn in range(12):
        s = _SIGMA[turn]
        v0, v4, v8, v12 = _mix(v0, v4, v8, v12, message[s[0]], message[s[1]])
        v1, v5, v9, v13 = _mix(v1, v5, v9, v13, message[s[2]], message[s[3]])
        v2, v6, v10, v14 = _mix(v2, v6, v10, v14, message[s[4]], message[s[5]])
        v3, v7, v11, v15 = _mix(v3, v7, v11, v15, message[s[6]], message[s[7]])
        v0, v5, v10, v15 = _mix(v0, v5, v10, v15, message[s[8]], message[s[9]])
        v1, v6, v11, v12 = _mix(v1, v6, v11, v12, message[s[10]], message[s[11]])
        v2, v7, v8, v13 = _mix(v2, v7, v8, v13, message[s[12]], message[s[13]])
        v3, v4, v9, v14 = _mix(v3, v4, v9, v14, message[s[14]], message[s[15]])
    state[0] ^= v0 ^ v8
    state[1] ^= v1 ^ v9
    state[2] ^= v2 ^ v10
    state[3] ^= v3 ^ v11
    state[4] ^= v4 ^ v12
    state[5] ^= v5 ^ v13
    state[6] ^= v6 ^ v14
    state[7] ^= v7 ^ v15


@part
def _set_state(state: Array, other: Array) -> None:
    for index in range(8):  # a slice assigned would bring the words of its errors along, which take seconds to compile
        state[index] = other[index]


@kernel
def hash_texts(starts: Int64s, data: Bytes, parameters: Uint64s, key_block: Uint64s, hashes: Uint64sOut) -> int:
    """The first 8 bytes, big-endian, of each text's keyed BLAKE2b.

    Args:
        starts: n + 1 offsets in the data.
        data: the texts, one after the other.
        parameters: the state that the parameter block gives (section 2.5), 8 words.
        key_block: the key as a block of 16 words.
        hashes: n words, written.

    Returns:
        0, or MALFORMED.
    """
    begun = np.empty(8, np.uint64)
    _set_state(begun, parameters)
    compress(begun, key_block, np.uint64(_BLOCK_BYTES), _NOT_LAST)
    state = np.empty(8, np.uint64)
    block = np.empty(16, np.uint64)
    for number in range(len(starts) - 1):
        start, end = starts[number], starts[number + 1]
        if start < 0 or end < start or end > len(data):
            return MALFORMED
        if start == end:  # without a message the key's block is the last
            _set_state(state, parameters)
            compress(state, key_block, np.uint64(_BLOCK_BYTES), _LAST)
        else:
            _set_state(state, begun)
        position = start
        while position < end:
            block[:] = np.uint64(0)
            taken = min(end - position, _BLOCK_BYTES)
            for index in range(taken):
                block[index >> 3] |= np.uint64(data[position + index]) << np.uint64((index & 7) << 3)
            position += taken
            compress(state, block, np.uint64(_BLOCK_BYTES + position - start), _LAST if position == end else _NOT_LAST)
        digest = np.uint64(0)
        for shift in range(0, 64, 8):
            digest = (digest << _BYTE_BITS) | ((state[0] >> np.uint64(shift)) & _BYTE)
        hashes[number] = digest
    return 0
