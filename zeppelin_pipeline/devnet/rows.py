"""Many records of one shape at once: columns of equal-length text, assembled to canonical DAG-CBOR by NumPy.

A like, repost, follow or block in its usual form differs from the next only in texts of fixed length. So a batch is one
matrix of bytes, a row for each record, several times faster than a dict and an encoder for each.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from zeppelin_pipeline.atproto.cbor_pieces import TEXT, header, text
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX

Rows = NDArray[np.uint8]
"""Bytes: one row for each text, all of the same length."""

Micros = NDArray[np.int64]
"""Microseconds since the epoch, UTC."""

CID_CHARACTERS = 59
TIME_CHARACTERS = 24
_TID_ALPHABET = np.frombuffer(b"234567abcdefghijklmnopqrstuvwxyz", np.uint8)
_BASE32_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)


def tid_rows(micros: Micros, clock_ids: NDArray[np.int64] | int) -> Rows:
    """The TIDs of times and clock identifiers (0 to 1,023), 13 characters each."""
    values = (micros << 10) | clock_ids
    shifts = np.arange(60, -1, -5, dtype=np.int64)
    return _TID_ALPHABET[(values[:, None] >> shifts) & 31]


def time_rows(micros: Micros) -> Rows:
    """Times as `2024-01-02T03:04:05.678Z`, 24 characters each; what is below a millisecond is cut off."""
    seconds = np.datetime_as_string((micros // 1000).astype("datetime64[ms]")).astype(f"S{TIME_CHARACTERS}")
    rows = seconds.view(np.uint8).reshape(len(micros), TIME_CHARACTERS).copy()
    rows[:, -1] = ord("Z")
    return rows


def rows_of(texts: Iterable[bytes], length: int) -> Rows:
    """Byte strings, each `length` long, as rows."""
    return np.frombuffer(b"".join(texts), np.uint8).reshape(-1, length)


def cid_rows(cids: Sequence[bytes]) -> Rows:
    """The text form of CIDs (36 bytes each): `b` and base32, 59 characters."""
    bits = np.unpackbits(rows_of(cids, 36), axis=1)
    padded = np.pad(bits, ((0, 0), (0, 2))).reshape(len(cids), 58, 5)
    digits = padded @ np.array([16, 8, 4, 2, 1], np.uint8)
    return join_rows(len(cids), b"b", _BASE32_ALPHABET[digits])


def join_rows(count: int, *parts: bytes | Rows) -> Rows:
    """`count` rows, each the parts one after another: the same bytes for all, or rows of its own."""
    widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in parts]
    joined = np.empty((count, sum(widths)), np.uint8)
    start = 0
    for part, width in zip(parts, widths, strict=True):
        joined[:, start : start + width] = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
        start += width
    return joined


def split_rows(rows: Rows) -> list[bytes]:
    """Each row as bytes of its own."""
    data, width = rows.tobytes(), rows.shape[1]
    return [data[start : start + width] for start in range(0, len(data), width)]


def cids_of(blocks: Iterable[bytes]) -> list[bytes]:
    """The CIDs of DAG-CBOR blocks, 36 bytes each."""
    prefix, digest = DAG_CBOR_PREFIX, sha256
    return [prefix + digest(block).digest() for block in blocks]


def subject_ref_rows(collection: str, cids: Rows, uris: Rows, created: Micros) -> Rows:
    """Records `{$type, subject: {cid, uri}, createdAt}`: likes and reposts."""
    return join_rows(
        len(created),
        b"\xa3" + text("$type") + text(collection) + text("subject"),
        b"\xa2" + text("cid") + header(TEXT, CID_CHARACTERS),
        cids,
        text("uri") + header(TEXT, uris.shape[1]),
        uris,
        text("createdAt") + header(TEXT, TIME_CHARACTERS),
        time_rows(created),
    )


def subject_did_rows(collection: str, dids: Rows, created: Micros) -> Rows:
    """Records `{$type, subject: DID, createdAt}`: follows and blocks."""
    return join_rows(
        len(created),
        b"\xa3" + text("$type") + text(collection) + text("subject") + header(TEXT, dids.shape[1]),
        dids,
        text("createdAt") + header(TEXT, TIME_CHARACTERS),
        time_rows(created),
    )
