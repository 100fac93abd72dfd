"""Recognises canonical records of fixed layout by their bytes, many at a time; reads columns without decoding.

A canonical like of a post differs from the next in 106 bytes at fixed places: two identifiers, a hash and a time. A
template is such a record with placeholders at those places, made by the same encoder that gives records back from
columns. A block that has the template's length and its bytes everywhere else, and in the places only what the columns
can hold, is therefore determined by them. What fits no template is decoded and validated one by one, to the same rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.records.assembly import Positions

Bytes2D: TypeAlias = "npt.NDArray[np.uint8]"
Mask: TypeAlias = "npt.NDArray[np.bool_]"

# Placeholders: bytes that no canonical record of a family has elsewhere.
_DID_MARK, _RKEY_MARK, _CID_MARK, _TIME_MARK = "\1", "\2", "\3", "\4"
_VIA_DID_MARK, _VIA_RKEY_MARK, _VIA_CID_MARK = "\5", "\6", "\7"
_LAST_MARK: Final = 7

_DID_PREFIX: Final = "did:plc:"
_CID_TEXT_PREFIX: Final = "bafyrei"  # the 30 bits that all CIDs of DAG-CBOR by SHA-256 begin with
_CID_BYTES: Final = 36


@dataclass(frozen=True, slots=True)
class Placeholders:
    """The texts that stand for a record's variable parts; lengths are the usual ones of the network."""

    did: str
    rkey: str
    cid: str


SUBJECT: Final = Placeholders(_DID_PREFIX + _DID_MARK * 24, _RKEY_MARK * 13, _CID_TEXT_PREFIX + _CID_MARK * 52)
VIA: Final = Placeholders(_DID_PREFIX + _VIA_DID_MARK * 24, _VIA_RKEY_MARK * 13, _CID_TEXT_PREFIX + _VIA_CID_MARK * 52)
CREATED_AT: Final = "0000-00-00T00:00:00.000Z".replace("0", _TIME_MARK)

# Where each text slot lies follows from its mark; a DID's and a CID's column has its fixed prefix too.
_TEXT_SLOTS: Final = {
    "subject_did": (_DID_MARK, len(_DID_PREFIX)),
    "subject_rkey": (_RKEY_MARK, 0),
    "via_did": (_VIA_DID_MARK, len(_DID_PREFIX)),
    "via_rkey": (_VIA_RKEY_MARK, 0),
}
_CID_SLOTS: Final = {"subject_cid": _CID_MARK, "via_cid": _VIA_CID_MARK}

_NOT_BASE32: Final = 255


def _base32_table() -> Bytes2D:
    table = np.full(256, _NOT_BASE32, dtype=np.uint8)
    table[np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)] = np.arange(32, dtype=np.uint8)
    return table


#: Of RFC 4648's alphabet, which has the same characters as that of TIDs and of did:plc.
_BASE32: Final = _base32_table()


class Template:
    """One layout of canonical record.

    Attributes:
        length: bytes of its blocks.
    """

    def __init__(self, encoded: bytes, constants: Mapping[str, str]) -> None:
        """Makes the template.

        Args:
            encoded: the canonical block with placeholders.
            constants: columns whose text the template fixes (the subject's collection).
        """
        sample = np.frombuffer(encoded, dtype=np.uint8)
        self.length = len(encoded)
        self._sample = sample
        self._literal = np.where(sample > _LAST_MARK, 255, 0).astype(np.uint8)
        self._constants = dict(constants)
        self._texts = {
            name: (_extent(encoded, mark), prefix)
            for name, (mark, prefix) in _TEXT_SLOTS.items()
            if mark.encode() in encoded
        }
        self._cids = {name: _extent(encoded, mark) for name, mark in _CID_SLOTS.items() if mark.encode() in encoded}
        self._time = np.flatnonzero(sample == ord(_TIME_MARK))

    def match(self, blocks: list[bytes]) -> tuple[Positions, dict[str, pa.Array]]:
        """Which of the blocks are of this layout, and their columns.

        Args:
            blocks: of the template's length.

        Returns:
            Positions in `blocks`, ascending, and arrays by column; `created_at` is in integer microseconds.
        """
        rows = np.frombuffer(b"".join(blocks), dtype=np.uint8).reshape(-1, self.length)
        fits = ~((rows ^ self._sample) & self._literal).any(axis=1)
        for extent, _ in self._texts.values():
            fits &= _BASE32.take(rows[:, extent]).max(axis=1) != _NOT_BASE32
        digits = {name: _BASE32.take(rows[:, extent]) for name, extent in self._cids.items()}
        for values in digits.values():
            fits &= _are_hashes(values)
        micros, are_times = read_times(rows[:, self._time])
        fits &= are_times
        if not fits.all():
            rows, micros = rows[fits], micros[fits]
            digits = {name: values[fits] for name, values in digits.items()}
        return np.flatnonzero(fits), self._columns(rows, digits, micros)

    def _columns(
        self, rows: Bytes2D, digits: dict[str, Bytes2D], micros: "npt.NDArray[np.int64]"
    ) -> dict[str, pa.Array]:
        count = len(rows)
        columns: dict[str, pa.Array] = {
            name: _fixed_width(pa.string(), rows[:, extent.start - prefix : extent.stop])
            for name, (extent, prefix) in self._texts.items()
        }
        columns |= {name: _fixed_width(pa.binary(), _decode_cids(values)) for name, values in digits.items()}
        columns |= {name: pa.repeat(text, count) for name, text in self._constants.items()}
        columns["created_at"] = pa.array(micros)
        return columns


def _extent(encoded: bytes, mark: str) -> slice:
    return slice(encoded.index(mark.encode()), encoded.rindex(mark.encode()) + 1)


def _fixed_width(data_type: pa.DataType, values: Bytes2D) -> pa.Array:
    """A column of equally long values from a matrix, without a Python object for each."""
    count, width = values.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(data_type, count, buffers)


def _are_hashes(digits: Bytes2D) -> Mask:
    """Whether 52 digits can follow a CID's fixed text: 2 zero bits end its prefix, 256 are the hash, 2 pad it."""
    return (digits.max(axis=1) != _NOT_BASE32) & (digits[:, 0] < 8) & (digits[:, -1] & 3 == 0)


def _decode_cids(digits: Bytes2D) -> Bytes2D:
    """The 36 bytes of CIDs from the 52 digits after their texts' fixed prefix, eight digits to five bytes."""
    count = len(digits)
    padded = np.zeros((count, 64), dtype=np.uint8)
    padded[:, 6:58] = digits
    groups = padded.reshape(count, 8, 8)
    a, b, c, d, e, f, g, h = (groups[:, :, index] for index in range(8))
    decoded = np.empty((count, 8, 5), dtype=np.uint8)
    decoded[:, :, 0] = a << 3 | b >> 2
    decoded[:, :, 1] = b << 6 | c << 1 | d >> 4
    decoded[:, :, 2] = d << 4 | e >> 1
    decoded[:, :, 3] = e << 7 | f << 2 | g >> 3
    decoded[:, :, 4] = g << 5 | h
    cids = np.ascontiguousarray(decoded.reshape(count, 40)[:, :_CID_BYTES])
    cids[:, :4] = np.frombuffer(DAG_CBOR_PREFIX, dtype=np.uint8)
    return cids


def read_times(characters: Bytes2D) -> "tuple[npt.NDArray[np.int64], Mask]":
    """Microseconds of times from their 17 digits (YYYYMMDDhhmmssmmm), and whether they are times of a calendar.

    Years before 1000 are left to the reader of single records, as are leap seconds.
    """
    digits = characters - np.uint8(ord("0"))
    are_digits = digits.max(axis=1, initial=0) <= 9
    year, month, day, hour, minute, second, millisecond = (
        _number(digits, start, stop) for start, stop in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14), (14, 17))
    )
    are_times = are_digits & (year >= 1000) & (month >= 1) & (month <= 12) & (day >= 1)
    are_times &= (hour < 24) & (minute < 60) & (second < 60)
    are_times &= day <= _days_in_month(year, np.clip(month, 1, 12))
    seconds = _days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    return seconds * 1_000_000 + millisecond * 1000, are_times


def _number(digits: Bytes2D, start: int, stop: int) -> "npt.NDArray[np.int64]":
    value = digits[:, start].astype(np.int64)
    for index in range(start + 1, stop):
        value = value * 10 + digits[:, index]
    return value


_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _days_in_month(year: "npt.NDArray[np.int64]", month: "npt.NDArray[np.int64]") -> "npt.NDArray[np.int64]":
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return _MONTH_DAYS[month] + (is_leap & (month == 2))


def _days_since_epoch(
    year: "npt.NDArray[np.int64]", month: "npt.NDArray[np.int64]", day: "npt.NDArray[np.int64]"
) -> "npt.NDArray[np.int64]":
    """Days from 1970-01-01, proleptic Gregorian. Counted from March, so that the leap day is a year's last."""
    shifted = year - (month <= 2)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - 719_468
