"""CIDs of the AT Protocol: made, written as text, read from text and from the frames of a CAR file.

A CID travels as 36 plain bytes: version 1, a codec (DAG-CBOR for records, nodes and commits; raw for blobs), SHA-256,
its 32 bytes. The data model allows no other; CAR files are framed by what a CID says of its own length, so
`parse_cid` can step over any.
"""

import re
from hashlib import sha256
from mmap import mmap

import libipld

from zeppelin_pipeline.atproto.base58 import base58_decode
from zeppelin_pipeline.errors import InvalidDataError

DAG_CBOR_PREFIX = b"\x01\x71\x12\x20"
RAW_PREFIX = b"\x01\x55\x12\x20"
CID_BYTES = 36

# Of the 290 bits the first 32 are one of the two prefixes; the last two are spare, and zero in the canonical spelling.
_CANONICAL_TEXT = re.compile(r"baf[ky]rei[a-h][a-z2-7]{50}[aeimquy4]")
_SHA256_PREFIXES = (DAG_CBOR_PREFIX, RAW_PREFIX)
_CID_V0_PREFIX = b"\x12\x20"
_CID_V0_BYTES = 34
_CID_V0_CHARACTERS = 46
_MAX_TEXT_CHARACTERS = 256
_MAX_VARINT_BYTES = 10


def cid_of(block: bytes | memoryview, prefix: bytes = DAG_CBOR_PREFIX) -> bytes:
    """Return the CID of a block under one of the two prefixes."""
    return prefix + sha256(block).digest()


def is_cid_bytes(data: bytes) -> bool:
    """Whether the bytes are a CID of the one form that the data model allows."""
    return len(data) == CID_BYTES and data[:4] in _SHA256_PREFIXES


def cid_to_text(cid: bytes) -> str:
    """Return the text form: multibase `b`, base32 in lower case, no padding; 59 characters."""
    return libipld.encode_multibase("b", cid)


def cid_from_text(text: str) -> bytes:
    """Return the 36 bytes of a CID's canonical text form.

    Raises:
        InvalidDataError: `cid-syntax` for other multibases, versions, codecs, hashes or lengths, and for texts that
            are not canonical.
    """
    if not _CANONICAL_TEXT.fullmatch(text):
        raise InvalidDataError("cid-syntax", text[:100])
    _, cid = libipld.decode_multibase(text)
    return cid


def is_cid_text(text: str) -> bool:
    """Whether the text spells a CID of any codec and hash: version 1 in base32, or version 0 in base58.

    Other multibases are refused, as by the official validator, to which a CID has one spelling; `syntax.is_cid` is the
    specification's glance at the characters.
    """
    if _CANONICAL_TEXT.fullmatch(text):
        return True
    if len(text) > _MAX_TEXT_CHARACTERS:
        return False
    try:
        if text.startswith("Qm"):
            return len(text) == _CID_V0_CHARACTERS and base58_decode(text).startswith(_CID_V0_PREFIX)
        _, data = libipld.decode_multibase(text) if text.startswith("b") else ("", b"")
        return data[:1] == b"\x01" and parse_cid(data, 0) == (data, len(data)) and cid_to_text(data) == text
    except (InvalidDataError, ValueError):
        return False


def parse_cid(data: bytes | memoryview, offset: int) -> tuple[bytes, int]:
    """Read the CID that starts at an offset, of any codec and hash; return it with the offset behind it.

    Raises:
        InvalidDataError: `cid-truncated`, `cid-version`, or `cid-varint`.
    """
    end = offset + CID_BYTES
    if bytes(data[offset : offset + 4]) in _SHA256_PREFIXES:
        return _cut(data, offset, end)
    if bytes(data[offset : offset + 2]) == _CID_V0_PREFIX:
        return _cut(data, offset, offset + _CID_V0_BYTES)
    version, at = read_varint(data, offset)
    if version != 1:
        raise InvalidDataError("cid-version", f"version {version}")
    _codec, at = read_varint(data, at)
    _hash, at = read_varint(data, at)
    digest_bytes, at = read_varint(data, at)
    return _cut(data, offset, at + digest_bytes)


def read_varint(data: bytes | memoryview | mmap, offset: int, reason_prefix: str = "cid") -> tuple[int, int]:
    """Read an unsigned LEB128 integer of at most 10 bytes; return it with the offset behind it.

    Raises:
        InvalidDataError: `{reason_prefix}-truncated` at the end of the data, `{reason_prefix}-varint` when too long
            or above 2**64 - 1.
    """
    value = 0
    for index, byte in enumerate(data[offset : offset + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value >= 1 << 64 or (byte == 0 and index):
                raise InvalidDataError(f"{reason_prefix}-varint", "too large or not minimal")
            return value, offset + index + 1
    if offset + _MAX_VARINT_BYTES > len(data):
        raise InvalidDataError(f"{reason_prefix}-truncated", "within a varint")
    raise InvalidDataError(f"{reason_prefix}-varint", "longer than 10 bytes")


def _cut(data: bytes | memoryview, start: int, end: int) -> tuple[bytes, int]:
    if end > len(data):
        raise InvalidDataError("cid-truncated", "within a CID")
    return bytes(data[start:end]), end
