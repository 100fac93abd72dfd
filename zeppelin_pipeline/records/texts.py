"""Byte strings in one array, one behind the other: appended by kernels, read as bytes or as Arrow columns."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.records.kernels.gather import copy_slices, copy_spans, span_offsets

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_FIRST_BYTES: Final = 4096
_FIRST_COUNT: Final = 64
_Scalar = TypeVar("_Scalar", bound=np.generic)


class Texts:
    """Grows by doubling; what `column` gave stays valid, and nothing is appended after it."""

    def __init__(self) -> None:
        self._bytes: Bytes = np.empty(_FIRST_BYTES, np.uint8)
        self._offsets: Places = np.zeros(_FIRST_COUNT, np.int64)
        self._count = 0

    @property
    def size_bytes(self) -> int:
        """Of all texts together."""
        return int(self._offsets[self._count])

    @property
    def data(self) -> Bytes:
        """All texts, one behind the other; read-only."""
        return as_bytes(self._bytes[: self.size_bytes])

    @property
    def offsets(self) -> Places:
        """Where each text starts, and where the last ends."""
        return self._offsets[: self._count + 1]

    def append_slices(self, source: Bytes, starts: Places, ends: Places) -> None:
        """Appends `source[starts[i]:ends[i]]`, which must lie within the source, read-only from `as_bytes`."""
        self._reserve(int(ends.sum() - starts.sum()), len(starts))
        copy_slices(source, starts, ends, self._bytes, self._offsets, self._count)
        self._count += len(starts)

    def extend(self, texts: Sequence[bytes]) -> None:
        """Appends byte strings."""
        offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        self.append_slices(as_bytes(b"".join(texts)), offsets[:-1], offsets[1:])

    def column(self, data_type: pa.DataType) -> pa.Array:
        """The texts as a column of binary or string, which they must be valid as."""
        offsets = pa.py_buffer(self.offsets.astype(np.int32))
        return pa.Array.from_buffers(data_type, self._count, [None, offsets, pa.py_buffer(self.data)])

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> bytes:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._bytes[self._offsets[index] : self._offsets[index + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self[index] for index in range(self._count))

    def _reserve(self, size_bytes: int, count: int) -> None:
        used = self.size_bytes
        if used + size_bytes > len(self._bytes):
            self._bytes = _grown(self._bytes, used, used + size_bytes)
        if self._count + 1 + count > len(self._offsets):
            self._offsets = _grown(self._offsets, self._count + 1, self._count + 1 + count)


def _grown(array: npt.NDArray[_Scalar], used: int, wanted: int) -> npt.NDArray[_Scalar]:
    """An array of at least twice the size, with what is used of the old one."""
    grown = np.empty(max(wanted, 2 * len(array)), array.dtype)
    grown[:used] = array[:used]
    return grown


def span_column(source: Bytes, spans: Places, data_type: pa.DataType) -> pa.Array:
    """The column of the texts `source[start:end]` by rows of `spans`; null where the end is -1."""
    spans = np.ascontiguousarray(spans)
    count = len(spans)
    offsets, validity = np.empty(count + 1, np.int32), np.zeros(count // 8 + 1, np.uint8)
    nulls = span_offsets(spans, offsets, validity)
    data = np.empty(int(offsets[count]), np.uint8)
    copy_spans(source, spans, data)
    bits = pa.py_buffer(validity) if nulls else None
    return pa.Array.from_buffers(data_type, count, [bits, pa.py_buffer(offsets), pa.py_buffer(data)], nulls)


def list_column(items: pa.Array, offsets: Places) -> pa.Array:
    """The column of lists `items[offsets[i]:offsets[i + 1]]`; null where a list would be empty."""
    is_empty = offsets[1:] == offsets[:-1]
    bits = pa.py_buffer(np.packbits(~is_empty, bitorder="little"))
    kind = pa.list_(items.type)
    buffers = [bits, pa.py_buffer(offsets.astype(np.int32))]
    return pa.Array.from_buffers(kind, len(is_empty), buffers, int(is_empty.sum()), children=[items])


def cid_column(cids: Bytes, is_there: "npt.NDArray[np.bool_]") -> pa.Array:
    """The column of CIDs by rows of 36 bytes, as variable binary; null where it is not there."""
    count, width = cids.shape
    places = np.arange(count, dtype=np.int64) * width
    spans = np.stack([places, np.where(is_there, places + width, -1)], axis=1)
    return span_column(as_bytes(np.ascontiguousarray(cids).reshape(-1)), spans, pa.binary())


def fixed_column(data: Bytes, width: int) -> pa.Array:
    """The column of values of one width that lie one behind the other."""
    return pa.Array.from_buffers(pa.binary(width), len(data) // width, [None, pa.py_buffer(data)])


def choice_column(numbers: npt.NDArray[np.int32], choices: Sequence[str]) -> pa.DictionaryArray:
    """The dictionary column of some of a few texts, by number; null where the number is -1."""
    is_null = numbers < 0
    indices = pa.array(numbers, mask=is_null) if is_null.any() else pa.array(numbers)
    return pa.DictionaryArray.from_arrays(indices, pa.array(choices, pa.string()))
