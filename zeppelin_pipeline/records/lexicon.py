"""The constraints that lexicons put on values, one small check each; what a record means is the families' business.

Every check raises `InvalidDataError` with a reason made of the field's name in kebab-case and what is wrong with it
(`text-too-long`, `langs-too-many`). As in the official validator, an absent optional field is valid, a null one is not,
and fields that the lexicon does not know are let through.

A link (CID) is 36 bytes after decoding. It cannot be told from a byte string that happens to be a CID: where a lexicon
asks for the one, the other is let through.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import regex

from zeppelin_pipeline.atproto.cid import RAW_PREFIX, is_cid_text
from zeppelin_pipeline.atproto.syntax import (
    AtUri,
    is_at_uri,
    is_did,
    is_handle,
    is_language,
    is_nsid,
    is_uri,
    parse_at_uri,
    parse_datetime,
)
from zeppelin_pipeline.errors import InvalidDataError

#: Lexicon integers are those that a double holds exactly.
_SAFE_INTEGER: Final = (1 << 53) - 1
#: A character takes at most 4 bytes of UTF-8.
_UTF8_CHARACTER_BYTES: Final = 4
# The form of nearly all language tags, known to be valid at one glance.
_USUAL_LANGUAGE: Final = re.compile(r"[a-z]{2}(?:-[A-Z]{2})?")
_GRAPHEME: Final = regex.compile(r"\X")
_BLOB_FIELDS: Final = frozenset({"$type", "mimeType", "ref", "size"})
_LEGACY_BLOB_FIELDS: Final = frozenset({"cid", "mimeType"})
_CID_BYTES: Final = 36
_SELF_LABELS: Final = "com.atproto.label.defs#selfLabels"
_STRONG_REF: Final = "com.atproto.repo.strongRef"


def check_if_there(record: dict[str, Any], name: str, check: Callable[..., object], *limits: Any) -> None:
    """Checks an optional field, `check(value, *limits)`."""
    if name in record:
        check(record[name], *limits)


def check_map(value: Any, field: str, type_name: str | None = None) -> dict[str, Any]:
    """A map; its `$type`, where it has one, must be the one that the place asks for."""
    if type(value) is not dict:
        raise InvalidDataError(f"{field}-not-a-map", repr(type(value)))
    if type_name is not None and value.get("$type", type_name) != type_name:
        raise InvalidDataError(f"{field}-type-mismatch", repr(value["$type"])[:200])
    return value


def check_array(value: Any, field: str, max_items: int | None = None) -> list[Any]:
    """An array of at most `max_items`."""
    if type(value) is not list:
        raise InvalidDataError(f"{field}-not-an-array", repr(type(value)))
    if max_items is not None and len(value) > max_items:
        raise InvalidDataError(f"{field}-too-many", f"{len(value)} of at most {max_items}")
    return value


def check_text(
    value: Any, field: str, max_bytes: int | None = None, max_graphemes: int | None = None, min_bytes: int = 0
) -> str:
    """A string within its limits of UTF-8 bytes and of grapheme clusters."""
    if type(value) is not str:
        raise InvalidDataError(f"{field}-missing" if value is None else f"{field}-not-a-string", repr(type(value)))
    if min_bytes and len(value.encode()) < min_bytes:
        raise InvalidDataError(f"{field}-too-short", f"{len(value.encode())} bytes of at least {min_bytes}")
    if max_bytes is not None:
        if len(value) * _UTF8_CHARACTER_BYTES > max_bytes and len(value.encode()) > max_bytes:
            raise InvalidDataError(f"{field}-too-long", f"{len(value.encode())} bytes of at most {max_bytes}")
        if max_graphemes is not None and len(value) > max_graphemes:
            _check_graphemes(value, field, max_graphemes)
    return value


def _check_graphemes(value: str, field: str, max_graphemes: int) -> None:
    """No text has more clusters than characters, so only longer ones are counted. Its bytes are bounded already."""
    count = sum(1 for _ in _GRAPHEME.finditer(value))
    if count > max_graphemes:
        raise InvalidDataError(f"{field}-too-long", f"{count} graphemes of at most {max_graphemes}")


def check_integer(value: Any, field: str, minimum: int) -> int:
    """An integer of at least `minimum` that a double holds exactly; booleans and floats are none."""
    if type(value) is not int:
        raise InvalidDataError(f"{field}-not-an-integer", repr(type(value)))
    if not minimum <= value <= _SAFE_INTEGER:
        raise InvalidDataError(f"{field}-out-of-range", str(value))
    return value


def check_boolean(value: Any, field: str) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise InvalidDataError(f"{field}-not-a-boolean", repr(type(value)))
    return value


def check_bytes(value: Any, field: str) -> bytes:
    """A byte string."""
    if type(value) is not bytes:
        raise InvalidDataError(f"{field}-not-bytes", repr(type(value)))
    return value


def check_did(value: Any, field: str) -> str:
    """A DID."""
    text = check_text(value, field)
    if not is_did(text):
        raise InvalidDataError(f"{field}-not-a-did", repr(text[:200]))
    return text


def check_handle(value: Any, field: str) -> str:
    """A handle."""
    text = check_text(value, field)
    if not is_handle(text):
        raise InvalidDataError(f"{field}-not-a-handle", repr(text[:200]))
    return text


def check_nsid(value: Any, field: str) -> str:
    """An NSID."""
    text = check_text(value, field)
    if not is_nsid(text):
        raise InvalidDataError(f"{field}-not-an-nsid", repr(text[:200]))
    return text


def check_at_uri(value: Any, field: str) -> AtUri:
    """An AT URI, of a repository, a collection or a record."""
    text = check_text(value, field)
    try:
        return parse_at_uri(text)
    except InvalidDataError as error:
        raise InvalidDataError(f"{field}-not-an-at-uri", repr(text[:200])) from error


def check_uri(value: Any, field: str) -> str:
    """A URI of any scheme."""
    text = check_text(value, field)
    if not is_uri(text):
        raise InvalidDataError(f"{field}-not-a-uri", repr(text[:200]))
    return text


def check_language(value: Any, field: str) -> str:
    """A BCP 47 language tag."""
    text = check_text(value, field)
    if not _USUAL_LANGUAGE.fullmatch(text) and not is_language(text):
        raise InvalidDataError(f"{field}-not-a-language", repr(text[:200]))
    return text


def check_created_at(record: dict[str, Any]) -> int:
    """Microseconds of the record's `createdAt`."""
    value = record.get("createdAt")
    if type(value) is not str:
        raise InvalidDataError("created-at-missing" if value is None else "created-at-invalid", repr(type(value)))
    try:
        return parse_datetime(value)
    except InvalidDataError as error:
        raise InvalidDataError("created-at-invalid", repr(value[:200])) from error


def check_strong_ref(value: Any, field: str) -> tuple[str, str]:
    """The (uri, cid) of a `com.atproto.repo.strongRef`."""
    if type(value) is not dict or value.get("$type", _STRONG_REF) != _STRONG_REF:
        raise InvalidDataError(f"{field}-missing" if value is None else f"{field}-not-strong-ref", repr(type(value)))
    uri, cid = value.get("uri"), value.get("cid")
    if type(uri) is not str or type(cid) is not str:
        raise InvalidDataError(f"{field}-not-strong-ref", "uri and cid must be strings")
    if not is_at_uri(uri):
        raise InvalidDataError(f"{field}-uri-invalid", repr(uri[:200]))
    if not is_cid_text(cid):
        raise InvalidDataError(f"{field}-cid-invalid", repr(cid[:200]))
    return uri, cid


def check_union(value: Any, field: str) -> str:
    """The `$type` of a member of an open union; a type unknown to the lexicon is valid."""
    if type(value) is not dict or type(value.get("$type")) is not str:
        raise InvalidDataError(f"{field}-without-type", repr(type(value)))
    return value["$type"]


def check_blob(value: Any, field: str, accept: Sequence[str], max_bytes: int) -> None:
    """A reference to a blob of an accepted media type and size.

    The legacy form, {cid, mimeType} without a size, is valid too: records of 2022 and 2023 have it, and the data model
    asks readers to support it. (The official indexer's strict mode refuses it.)
    """
    if type(value) is not dict:
        raise InvalidDataError(f"{field}-not-a-blob", repr(type(value)))
    media_type = value.get("mimeType")
    if type(media_type) is not str or "/" not in media_type:
        raise InvalidDataError(f"{field}-not-a-blob", "mimeType")
    if value.keys() == _LEGACY_BLOB_FIELDS:
        if type(value["cid"]) is not str or not is_cid_text(value["cid"]):
            raise InvalidDataError(f"{field}-not-a-blob", "cid")
    else:
        _check_typed_blob(value, field, max_bytes)
    if not any(_is_accepted(media_type, pattern) for pattern in accept):
        raise InvalidDataError(f"{field}-media-type", repr(media_type[:200]))


def _check_typed_blob(value: dict[str, Any], field: str, max_bytes: int) -> None:
    ref, size_bytes = value.get("ref"), value.get("size")
    if value.keys() != _BLOB_FIELDS or value["$type"] != "blob":
        raise InvalidDataError(f"{field}-not-a-blob", repr(sorted(value))[:200])
    if type(ref) is not bytes or len(ref) != _CID_BYTES or not ref.startswith(RAW_PREFIX):
        raise InvalidDataError(f"{field}-not-a-blob", "ref")
    if check_integer(size_bytes, f"{field}-size", 0) > max_bytes:
        raise InvalidDataError(f"{field}-too-large", f"{size_bytes} bytes of at most {max_bytes}")


def _is_accepted(media_type: str, pattern: str) -> bool:
    return media_type.startswith(pattern[:-1]) if pattern.endswith("/*") else media_type == pattern


def check_self_labels(value: Any) -> None:
    """The open union of a record's labels by its own author."""
    if check_union(value, "labels") != _SELF_LABELS:
        return
    for label in check_array(value.get("values"), "labels", 10):
        check_text(check_map(label, "label", "com.atproto.label.defs#selfLabel").get("val"), "label", 128)
