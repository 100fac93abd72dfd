"""SHA-256 in a kernel: by the processor's own instructions where it has them, in plain arithmetic elsewhere.

One call of `hashlib` costs as much as hashing the 250 bytes of a record; here only the hashing is left. FIPS 180-4.

A state is eight 32-bit words in the order f, e, b, a, h, g, d, c: that of the processor's instructions.
"""

from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    Bytes,
    BytesOut,
    Int64s,
    Number,
    is_for_this_processor,
    kernel,
    part,
)

DIGEST_BYTES: Final = 32
_BLOCK_BYTES: Final = 64
#: Of the last block: behind the message come a mark and, in eight bytes, its length.
_TAIL_BYTES: Final = 9
#: What `digest` works in: the state, and room for the two last blocks.
STATE_WORDS: Final = 8
PADDING_BYTES: Final = 2 * _BLOCK_BYTES


def _fractional_bits(root: float) -> int:
    return int(root % 1 * 2**32)


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    number = 2
    while len(primes) < count:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    return primes


def _cube_root_bits(number: int) -> int:
    """32 bits behind the point of a cube root, exactly: floats of 53 bits would do, integers leave no doubt."""
    low, high = 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        if middle**3 <= number << 96:
            low = middle
        else:
            high = middle - 1
    return low & 0xFFFF_FFFF


_ROUND_CONSTANTS: Final = tuple(_cube_root_bits(prime) for prime in _primes(64))
_K: Final = np.array(_ROUND_CONSTANTS, dtype=np.uint32)
#: Square roots of the first eight primes (a to h), in the order of a state.
_A, _B, _C, _D, _E, _F, _G, _H = (_fractional_bits(prime**0.5) for prime in _primes(8))
_START: Final = np.array([_F, _E, _B, _A, _H, _G, _D, _C], dtype=np.uint32)
#: Where in a state the words a to h are.
_ORDER: Final = np.array([3, 2, 7, 6, 1, 0, 5, 4], dtype=np.int64)


def _has_instructions() -> bool:
    """Whether code is made for this very processor, and it has SHA instructions."""
    return is_for_this_processor() and bool(llvm.get_host_cpu_features().get("sha", False))


HAS_INSTRUCTIONS: Final = _has_instructions()


@intrinsic
def _compress_by_instructions(_context: Any, _state: Any, _data: Any, _at: Any) -> Any:
    """Adds the 64 bytes at `data[at:]` to a state; the caller knows that they are there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        state_type, data_type, _ = signature.args
        state = context.make_array(state_type)(context, builder, arguments[0]).data
        data = context.make_array(data_type)(context, builder, arguments[1]).data
        _Rounds(builder, state, builder.gep(data, [arguments[2]])).generate()
        return context.get_dummy_value()

    words = types.Array(types.uint32, 1, "C")
    return types.none(words, _data, types.int64), generate


class _Rounds:
    """Writes the 64 rounds in LLVM's language, four a step, as the instructions want them."""

    def __init__(self, builder: Any, state: Any, block: Any) -> None:
        self._builder = builder
        self._vector = ir.VectorType(ir.IntType(32), 4)
        pointer = self._vector.as_pointer()
        self._state = builder.bitcast(state, pointer)
        self._block = builder.bitcast(block, pointer)

    def generate(self) -> None:
        """Reads the state and the block, and writes the state."""
        builder = self._builder
        places = [builder.gep(self._state, [ir.IntType(64)(index)]) for index in range(2)]
        before = [builder.load(place, align=4) for place in places]
        efab, ghcd = before
        words = [self._message(index) for index in range(4)]
        for step in range(16):
            if step >= 4:
                words.append(self._schedule(*words[-4:]))
            constants = self._vector([int(word) for word in _ROUND_CONSTANTS[4 * step : 4 * step + 4]])
            sums = builder.add(words[step], constants)
            ghcd = self._call("sha256rnds2", ghcd, efab, sums)
            efab = self._call("sha256rnds2", efab, ghcd, self._shuffle(sums, sums, (2, 3, 0, 0)))
        for place, old, new in zip(places, before, (efab, ghcd), strict=True):
            builder.store(builder.add(old, new), place, align=4)

    def _message(self, index: Number) -> Any:
        """Four words of the block, which are big-endian there."""
        loaded = self._builder.load(self._builder.gep(self._block, [ir.IntType(64)(index)]), align=1)
        kind = ir.FunctionType(self._vector, [self._vector])
        function = self._declare("llvm.bswap.v4i32", kind)
        return self._builder.call(function, [loaded])

    def _schedule(self, first: Any, second: Any, third: Any, fourth: Any) -> Any:
        """The four words that follow sixteen."""
        shifted = self._shuffle(third, fourth, (1, 2, 3, 4))
        mixed = self._builder.add(self._call("sha256msg1", first, second), shifted)
        return self._call("sha256msg2", mixed, fourth)

    def _shuffle(self, left: Any, right: Any, lanes: tuple[int, ...]) -> Any:
        return self._builder.shuffle_vector(left, right, ir.VectorType(ir.IntType(32), 4)(list(lanes)))

    def _call(self, name: str, *operands: Any) -> Any:
        kind = ir.FunctionType(self._vector, [self._vector] * len(operands))
        return self._builder.call(self._declare(f"llvm.x86.{name}", kind), operands)

    def _declare(self, name: str, kind: Any) -> Any:
        module = self._builder.module
        return module.globals.get(name) or ir.Function(module, kind, name)


@part
def _rotated(word: Any, bits: Any) -> Any:
    # Numba's arithmetic of 32 bits gives 64: each result is cut again.
    return np.uint32((word >> np.uint32(bits)) | (word << np.uint32(32 - bits)))


@part
def _compress_by_arithmetic(state: Array, data: Array, at: Number) -> None:
    """Adds the 64 bytes at `data[at:]` to a state; the caller knows that they are there."""
    words = np.empty(64, np.uint32)
    for index in range(16):
        first = at + 4 * index
        words[index] = (
            np.uint32(data[first]) << np.uint32(24)
            | np.uint32(data[first + 1]) << np.uint32(16)
            | np.uint32(data[first + 2]) << np.uint32(8)
            | np.uint32(data[first + 3])
        )
    for index in range(16, 64):
        early, late = words[index - 15], words[index - 2]
        mixed = _rotated(early, 7) ^ _rotated(early, 18) ^ (early >> np.uint32(3))
        mixed += _rotated(late, 17) ^ _rotated(late, 19) ^ (late >> np.uint32(10))
        words[index] = np.uint32(words[index - 16] + words[index - 7] + mixed)
    f, e, b, a, h, g, d, c = state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
    for index in range(64):
        chosen = g ^ (e & (f ^ g))
        first_sum = h + (_rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)) + chosen + _K[index] + words[index]
        majority = (a & b) ^ (a & c) ^ (b & c)
        second_sum = (_rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)) + majority
        h, g, f, e = g, f, e, np.uint32(d + first_sum)
        d, c, b, a = c, b, a, np.uint32(first_sum + second_sum)
    state[0] += f
    state[1] += e
    state[2] += b
    state[3] += a
    state[4] += h
    state[5] += g
    state[6] += d
    state[7] += c


_compress: Any = _compress_by_instructions if HAS_INSTRUCTIONS else _compress_by_arithmetic


@part
def digest(data: Array, start: Number, end: Number, state: Array, padding: Array) -> None:
    """Leaves in `state` the SHA-256 of `data[start:end]`, a range that the caller has checked.

    Args:
        data: any bytes.
        start: of the message.
        end: behind it.
        state: STATE_WORDS words; `digest_word` reads the digest from it.
        padding: PADDING_BYTES bytes to work in.
    """
    for index in range(STATE_WORDS):
        state[index] = _START[index]
    at = start
    while at + _BLOCK_BYTES <= end:
        _compress(state, data, np.int64(at))
        at += _BLOCK_BYTES
    left = end - at
    for index in range(left):
        padding[index] = data[at + index]
    padding[left] = 0x80
    padded = _BLOCK_BYTES if left + _TAIL_BYTES <= _BLOCK_BYTES else 2 * _BLOCK_BYTES
    for index in range(left + 1, padded - 8):
        padding[index] = 0
    bits = np.uint64(end - start) << np.uint64(3)
    for index in range(8):
        padding[padded - 1 - index] = np.uint8((bits >> np.uint64(8 * index)) & np.uint64(0xFF))
    _compress(state, padding, np.int64(0))
    if padded > _BLOCK_BYTES:
        _compress(state, padding, np.int64(_BLOCK_BYTES))


@part
def digest_word(state: Array, index: Number) -> Number:
    """The 32 bits of a digest at bytes 4 * index, big-endian."""
    return state[_ORDER[index]]


@part
def write_digest(state: Array, out: Array) -> None:
    """Writes the 32 bytes of a digest."""
    for word in range(STATE_WORDS):
        for byte in range(4):
            out[4 * word + byte] = np.uint8((digest_word(state, word) >> np.uint32(24 - 8 * byte)) & np.uint32(0xFF))


@part
def is_digest(state: Array, data: Array, at: Number) -> bool:
    """Whether the 32 bytes at `data[at:]`, which are there, are the digest."""
    for index in range(STATE_WORDS):
        word = state[_ORDER[index]]
        first = at + 4 * index
        if (
            data[first] != word >> np.uint32(24)
            or data[first + 1] != (word >> np.uint32(16)) & np.uint32(0xFF)
            or data[first + 2] != (word >> np.uint32(8)) & np.uint32(0xFF)
            or data[first + 3] != word & np.uint32(0xFF)
        ):
            return False
    return True


@kernel
def digest_each(data: Bytes, offsets: Int64s, digests: BytesOut) -> None:
    """Writes the digests of `data[offsets[i]:offsets[i + 1]]`, 32 bytes each."""
    state = np.empty(STATE_WORDS, np.uint32)
    padding = np.empty(PADDING_BYTES, np.uint8)
    for index in range(len(offsets) - 1):
        digest(data, offsets[index], offsets[index + 1], state, padding)
        write_digest(state, digests[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)])
