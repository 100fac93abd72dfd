"""Lexicon formats in a kernel, each the usual part of what the careful code takes: accepted here, valid there.

Ranges that are given are within the block; they have been read by `cbor.text`.
"""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.cbor import characters, expect, text
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.atproto.mst.walk import KEY_CHARACTERS

DID_BYTES: Final = 32
CID_BYTES: Final = 36
_CID_TEXT_BYTES: Final = 59
_CID_DIGITS: Final = 52
_NOT_A_DIGIT: Final = 255
_MAX_RECORD_KEY_BYTES: Final = 512
_MAX_TIME_BYTES: Final = 64
_MAX_URI_BYTES: Final = 8192
#: `YYYY-MM-DDTHH:MM:SS`, and with `.mmmZ` the one form that a column of microseconds gives back.
_SECONDS_BYTES: Final = 19
_EXACT_TIME_BYTES: Final = 24
#: Near its ends the calendar is left to the careful code, as an offset may lead beyond them.
_MIN_YEAR: Final = 2
_MAX_YEAR: Final = 9998
_NO_TIME: Final = -(1 << 62)


def _digits() -> Array:
    table = np.full(256, _NOT_A_DIGIT, np.uint8)
    table[as_bytes(b"abcdefghijklmnopqrstuvwxyz234567")] = np.arange(32, dtype=np.uint8)
    return table


def _record_key_characters() -> Array:
    table = np.zeros(256, np.bool_)
    table[as_bytes(KEY_CHARACTERS)] = True
    return table


_DIGITS: Final = _digits()
_IS_IN_RECORD_KEY: Final = _record_key_characters()
_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_DID_PREFIX: Final = as_bytes(b"did:plc:")
_URI_PREFIX: Final = as_bytes(b"at://")
_CID_PREFIX: Final = as_bytes(b"bafyrei")
_HTTP: Final = as_bytes(b"http://")
_HTTPS: Final = as_bytes(b"https://")
_REF_CID: Final = as_bytes(b"\xa2\x63cid")
_REF_URI: Final = as_bytes(b"\x63uri")


@part
def did(data: Array, start: Number, end: Number) -> Number:
    """The offset behind a did:plc of 24 characters."""
    at = expect(data, start, end, _DID_PREFIX)
    if at < 0 or start + DID_BYTES > end:
        return UNUSUAL
    for index in range(at, start + DID_BYTES):
        if _DIGITS[data[index]] == _NOT_A_DIGIT:
            return UNUSUAL
    return start + DID_BYTES


@part
def is_did(data: Array, start: Number, end: Number) -> bool:
    """Whether the range is a did:plc."""
    return bool(did(data, start, end) == end)


@part
def collection(data: Array, start: Number, end: Number, names: Array, name_offsets: Array) -> Number:
    """Which of the names the range is; UNUSUAL for none."""
    for index in range(len(name_offsets) - 1):
        first = name_offsets[index]
        if name_offsets[index + 1] - first == end - start:
            at = 0
            while at < end - start and names[first + at] == data[start + at]:
                at += 1
            if at == end - start:
                return index
    return UNUSUAL


@part
def is_record_key(data: Array, start: Number, end: Number) -> bool:
    """Whether the range is a record key."""
    size = end - start
    if size < 1 or size > _MAX_RECORD_KEY_BYTES:
        return False
    for index in range(start, end):
        if not _IS_IN_RECORD_KEY[data[index]]:
            return False
    return not (data[start] == ord(".") and (size == 1 or (size == 2 and data[start + 1] == ord("."))))


@part
def record_uri(data: Array, start: Number, end: Number, names: Array, name_offsets: Array) -> tuple[Number, Number]:
    """Of `at://{did:plc}/{one of the names}/{rkey}`: where the DID starts, and the name's number; UNUSUAL otherwise.

    The record key goes from behind the name and its slash to the end.
    """
    did_at = expect(data, start, end, _URI_PREFIX)
    at = did(data, did_at, end) if did_at >= 0 else UNUSUAL
    if at < 0 or at >= end or data[at] != ord("/"):
        return UNUSUAL, UNUSUAL
    name_at = at + 1
    at = name_at
    while at < end and data[at] != ord("/"):
        at += 1
    number = collection(data, name_at, at, names, name_offsets)
    if number < 0 or at >= end or not is_record_key(data, at + 1, end):
        return UNUSUAL, UNUSUAL
    return did_at, number


@part
def decode_cid(data: Array, start: Number, end: Number, cid: Array) -> bool:
    """Writes the 36 bytes of the canonical text of a DAG-CBOR CID; false when the range is none."""
    at = expect(data, start, end, _CID_PREFIX)
    if at < 0 or end - start != _CID_TEXT_BYTES:
        return False
    cid[0], cid[1], cid[2], cid[3] = 0x01, 0x71, 0x12, 0x20
    # The first digit's two leading bits end the prefix; the last one's two trailing bits are padding.
    if _DIGITS[data[at]] >= 8 or _DIGITS[data[end - 1]] & 3:
        return False
    bits = np.int64(0)
    held, place = -2, 4
    for index in range(at, end):
        digit = _DIGITS[data[index]]
        if digit == _NOT_A_DIGIT:
            return False
        bits = (bits << 5 | np.int64(digit)) & 0xFFFF
        held += 5
        if held >= 8:
            held -= 8
            cid[place] = np.uint8((bits >> held) & 0xFF)
            place += 1
    return True


@part
def strong_ref(
    data: Array, at: Number, end: Number, names: Array, name_offsets: Array, spans: Array, cid: Array
) -> tuple[Number, Number]:
    """Reads {cid, uri} of a record that `record_uri` reads; gives the offset behind it and the collection's number.

    Args:
        data: with the block.
        at: where the map starts.
        end: of the block.
        names: of collections.
        name_offsets: of the names.
        spans: gets where the DID and the record key start and end.
        cid: gets the 36 bytes of the CID.
    """
    cid_at, at = text(data, expect(data, at, end, _REF_CID), end)
    if cid_at < 0 or not decode_cid(data, cid_at, at, cid):
        return UNUSUAL, UNUSUAL
    uri_at, at = text(data, expect(data, at, end, _REF_URI), end)
    if uri_at < 0:
        return UNUSUAL, UNUSUAL
    did_at, number = record_uri(data, uri_at, at, names, name_offsets)
    if did_at < 0:
        return UNUSUAL, UNUSUAL
    spans[0, 0] = did_at
    spans[0, 1] = did_at + DID_BYTES
    spans[1, 0] = did_at + DID_BYTES + 2 + name_offsets[number + 1] - name_offsets[number]
    spans[1, 1] = at
    return at, number


@part
def _number(data: Array, start: Number, count: Number) -> Number:
    """A number of so many digits, UNUSUAL when there is another character among them."""
    value = np.int64(0)
    for index in range(start, start + count):
        digit = np.int64(data[index]) - 48
        if digit < 0 or digit > 9:
            return UNUSUAL
        value = 10 * value + digit
    return value


@part
def _days(year: Number, month: Number, day: Number) -> Number:
    """Days since 1970-01-01; counted from March, so that the leap day is a year's last."""
    shifted = year - 1 if month <= 2 else year
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - 719_468


@part
def _date(data: Array, at: Number) -> Number:
    """Days since 1970-01-01 of `YYYY-MM-DDT`, whose bytes are there; _NO_TIME when it is none."""
    year, month, day = _number(data, at, 4), _number(data, at + 5, 2), _number(data, at + 8, 2)
    has_marks = data[at + 4] == ord("-") and data[at + 7] == ord("-") and data[at + 10] == ord("T")
    if not has_marks or year < _MIN_YEAR or year > _MAX_YEAR or month < 1 or month > 12 or day < 1:
        return _NO_TIME
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _MONTH_DAYS[month] + (1 if is_leap and month == 2 else 0):
        return _NO_TIME
    return _days(year, month, day)


@part
def _clock(data: Array, at: Number) -> Number:
    """Seconds of `HH:MM:SS`, whose bytes are there."""
    hour, minute, second = _number(data, at, 2), _number(data, at + 3, 2), _number(data, at + 6, 2)
    has_marks = data[at + 2] == ord(":") and data[at + 5] == ord(":")
    if not has_marks or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNUSUAL
    return (hour * 60 + minute) * 60 + second


@part
def _zone(data: Array, at: Number, end: Number) -> Number:
    """Seconds by which `Z`, `+hh:mm` or `-hh:mm` at the end of a time is ahead of UTC; _NO_TIME when it is none."""
    if at + 1 == end and data[at] == ord("Z"):
        return 0
    if at + 6 != end or data[at + 3] != ord(":") or (data[at] != ord("+") and data[at] != ord("-")):
        return _NO_TIME
    hours, minutes = _number(data, at + 1, 2), _number(data, at + 4, 2)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return _NO_TIME
    seconds = (hours * 60 + minutes) * 60
    if data[at] == ord("+"):
        return seconds
    return -seconds if seconds else _NO_TIME


@part
def time(data: Array, start: Number, end: Number) -> tuple[Number, bool, bool]:
    """A datetime's microseconds, whether it is one, and whether it is written as they would be."""
    if end - start <= _SECONDS_BYTES or end - start > _MAX_TIME_BYTES:
        return 0, False, False
    days, seconds = _date(data, start), _clock(data, start + 11)
    at = start + _SECONDS_BYTES
    micros = np.int64(0)
    if data[at] == ord("."):
        at += 1
        count = 0
        while at < end and ord("0") <= data[at] <= ord("9"):
            if count < 6:
                micros = 10 * micros + np.int64(data[at]) - 48
            count += 1
            at += 1
        if count < 1 or count > 20:
            return 0, False, False
        for _ in range(count, 6):
            micros *= 10
    if at >= end:
        return 0, False, False
    zone = _zone(data, at, end)
    if days == _NO_TIME or seconds < 0 or zone == _NO_TIME:
        return 0, False, False
    is_exact = end - start == _EXACT_TIME_BYTES and at == end - 1 and data[start + _SECONDS_BYTES] == ord(".")
    return (days * 86_400 + seconds - zone) * 1_000_000 + micros, True, bool(is_exact and micros % 1000 == 0)


@part
def is_language(data: Array, start: Number, end: Number) -> bool:
    """Whether the range is `xx` or `xx-XX`."""
    size = end - start
    if (size != 2 and size != 5) or data[start] < ord("a") or data[start] > ord("z"):  # noqa: PLR1714 - as above
        return False
    if data[start + 1] < ord("a") or data[start + 1] > ord("z"):
        return False
    if size == 2:
        return True
    is_first = ord("A") <= data[start + 3] <= ord("Z")
    return bool(data[start + 2] == ord("-") and is_first and ord("A") <= data[start + 4] <= ord("Z"))


@part
def is_web_uri(data: Array, start: Number, end: Number) -> bool:
    """Whether the range is `http(s)://` and printable ASCII behind it."""
    if end - start > _MAX_URI_BYTES:
        return False
    at = expect(data, start, end, _HTTPS)
    if at < 0:
        at = expect(data, start, end, _HTTP)
    if at < 0 or at >= end or data[at] == ord("/"):
        return False
    for index in range(at, end):  # noqa: SIM110 - a generator is an object
        if data[index] <= 0x20 or data[index] > 0x7E:
            return False
    return True


@part
def is_short_text(data: Array, start: Number, end: Number, max_bytes: Number, max_characters: Number) -> bool:
    """Whether the range is UTF-8 within its limits; no text has more graphemes than characters."""
    if end - start > max_bytes:
        return False
    count = characters(data, start, end)
    return bool(0 <= count <= max_characters)
