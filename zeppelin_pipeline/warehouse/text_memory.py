"""Texts that were seen, each with its key: a text is hashed once, and what is new among them can be told. No I/O.

The texts of Arrow arrays are looked up where they lie; no Python object is made for one.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.kernels.interning import fill_slots, intern, take_keys
from zeppelin_pipeline.warehouse.kernels.texts import MALFORMED

Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Int32s: TypeAlias = "npt.NDArray[np.int32]"
Int64s: TypeAlias = "npt.NDArray[np.int64]"

#: All is forgotten above these: about 100 MB with the tables.
REMEMBERED_TEXTS: Final = 1_000_000
REMEMBERED_BYTES: Final = 48_000_000

_FIRST_TEXTS: Final = 1 << 12
_FIRST_BYTES: Final = 1 << 17
_NO_BYTES: Final = np.empty(0, np.uint8)


@dataclass(frozen=True, slots=True)
class Texts:
    """An Arrow array of text or bytes as its buffers, as kernels take them.

    Attributes:
        offsets: n + 1, into the data.
        data: the bytes.
        bitmap: which are valid, by bits; empty where none is null.
        bit_offset: the first one's bit.
    """

    offsets: Int32s
    data: Bytes
    bitmap: Bytes
    bit_offset: int

    @classmethod
    def of(cls, array: pa.Array) -> Self:
        """The buffers of a string or binary array, not copied."""
        bitmap, offsets, data = array.buffers()
        begin = 4 * array.offset
        return cls(
            _readable(np.frombuffer(offsets, np.int32, len(array) + 1, begin) if offsets else np.zeros(1, np.int32)),
            _readable(np.frombuffer(data, np.uint8) if data else _NO_BYTES),
            _readable(np.frombuffer(bitmap, np.uint8) if bitmap and array.null_count else _NO_BYTES),
            array.offset,
        )


def _readable(array: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    """Read-only like all others: kernels are compiled for one kind of array."""
    view = array.view()
    view.flags.writeable = False
    return view


class TextMemory:
    """Distinct texts by number, with their keys.

    Where new texts are noted they are kept until they are taken; all is forgotten when there is too much of it.
    """

    def __init__(self, to_keys: "Callable[[Int64s, Bytes], Int64s]") -> None:
        """An empty memory.

        Args:
            to_keys: the keys of texts, given as their n + 1 offsets and the bytes.
        """
        self._to_keys = to_keys
        self._seeds = np.frombuffer(secrets.token_bytes(16), np.uint64)
        self.is_noting = False
        self.forget()

    def keys_of(self, texts: Texts, rows: Int64s) -> Int64s:
        """The keys of some of the texts, by their positions; 0 for null.

        Raises:
            CorruptStateError: the array's offsets leave its data.
        """
        if not self.is_noting and self._is_full():
            self.forget()
        self._make_room(texts, len(rows))
        entries = np.empty(len(rows), np.int32)
        count = intern(
            texts.offsets,
            texts.data,
            texts.bitmap,
            texts.bit_offset,
            rows,
            self._seeds,
            self._slots,
            self._hashes,
            self._starts,
            self._arena,
            self._count,
            entries,
        )
        if count == MALFORMED:
            raise CorruptStateError("an Arrow array's offsets leave its data")
        self._hash_new(count)
        keys = np.empty(len(rows), np.int64)
        take_keys(self._keys, entries, keys)
        return keys

    def take_new(self) -> tuple[pa.Array, pa.Array]:
        """The keys (int64) and the texts that became known since this was asked last."""
        starts = self._starts[self._taken : self._count + 1]
        data = self._arena[starts[0] : starts[-1]].copy()
        offsets = (starts - starts[0]).astype(np.int32)
        texts = pa.StringArray.from_buffers(len(starts) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
        keys = pa.array(self._keys[self._taken : self._count])
        self._taken = self._count
        if self._is_full():
            self.forget()
        return keys, texts

    def _is_full(self) -> bool:
        return self._count > REMEMBERED_TEXTS or int(self._starts[self._count]) > REMEMBERED_BYTES

    def forget(self) -> None:
        """Forgets all texts, those that were not taken too."""
        self._count = 0
        self._taken = 0
        self._slots = np.full(2 * _FIRST_TEXTS, -1, np.int32)
        self._hashes = np.empty(_FIRST_TEXTS, np.uint64)
        self._starts = np.zeros(_FIRST_TEXTS + 1, np.int64)
        self._keys = np.empty(_FIRST_TEXTS, np.int64)
        self._arena = np.empty(_FIRST_BYTES, np.uint8)

    def _make_room(self, texts: Texts, rows: int) -> None:
        """For all of them, were they new."""
        needed = self._count + rows
        if needed > len(self._hashes):
            size = _power_above(needed)
            self._hashes = _grown(self._hashes, size)
            self._starts = _grown(self._starts, size + 1)
            self._keys = _grown(self._keys, size)
            self._slots = np.empty(2 * size, np.int32)
            fill_slots(self._slots, self._hashes, self._count)
        needed_bytes = int(self._starts[self._count]) + int(texts.offsets[-1]) - int(texts.offsets[0])
        if needed_bytes > len(self._arena):
            self._arena = _grown(self._arena, _power_above(needed_bytes))

    def _hash_new(self, count: int) -> None:
        if count > self._count:
            starts = self._starts[self._count : count + 1]
            self._keys[self._count : count] = self._to_keys(starts, self._arena)
            self._count = count


def _power_above(number: int) -> int:
    return 1 << number.bit_length()


def _grown(array: "npt.NDArray[Any]", size: int) -> "npt.NDArray[Any]":
    grown = np.empty(size, array.dtype)
    grown[: len(array)] = array
    return grown
