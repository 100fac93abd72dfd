"""The JSON form of the data model: `$link` and `$bytes`, to and from the values that `dag_cbor` speaks of.

Specification: Data Model. A link is 36 plain bytes with one of the CID prefixes, by the same rule as in `dag_cbor`.
"""

import base64
import binascii
import math
from typing import Any, cast

from zeppelin_pipeline.atproto.cbor_scan import MAX_DEPTH
from zeppelin_pipeline.atproto.cid import cid_from_text, cid_to_text, is_cid_bytes
from zeppelin_pipeline.errors import InvalidDataError

_MAX_INTEGER = 2**63 - 1


def to_json(value: Any) -> Any:
    """Return the JSON-ready form: links as `{"$link": …}`, bytes as `{"$bytes": …}` (base64 without padding)."""
    if isinstance(value, dict):  # most values are texts: a look at their type spares a call
        return {key: item if type(item) is str else to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [item if type(item) is str else to_json(item) for item in value]
    if isinstance(value, bytes):
        if is_cid_bytes(value):
            return {"$link": cid_to_text(value)}
        return {"$bytes": base64.b64encode(value).decode("ascii").rstrip("=")}
    return value


def from_json(value: Any) -> Any:
    """Read a JSON value: the inverse of `to_json`. A float with a whole value is read as an integer.

    Raises:
        InvalidDataError: `json-float`, `json-integer`, `json-link`, `json-bytes`, `json-type` (a `$type` that is not
            a text with content), `json-blob`, `json-depth`, `json-value` (no JSON value at all).
    """
    return _read(value, 0)


def record_from_json(value: Any) -> dict[str, Any]:
    """Read a JSON object; like `from_json`, and `json-record` when it is not an object."""
    record = from_json(value)
    if not isinstance(record, dict):
        raise InvalidDataError("json-record", f"a record is an object, not {type(value).__name__}")
    return cast("dict[str, Any]", record)


def _read(value: Any, depth: int) -> Any:
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        raise InvalidDataError("json-depth", f"more than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return _read_object(cast("dict[str, Any]", value), depth)
    if isinstance(value, list):
        return [_read(item, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, float):
        return _read_integer(_whole(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_integer(value)
    if value is None or isinstance(value, (str, bool)):
        return value
    raise InvalidDataError("json-value", type(value).__name__)


def _whole(value: float) -> int:
    if not math.isfinite(value) or not value.is_integer():
        raise InvalidDataError("json-float", str(value))
    return int(value)


def _read_integer(value: int) -> int:
    if not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        raise InvalidDataError("json-integer", "beyond 64 bits")
    return value


def _read_object(value: dict[str, Any], depth: int) -> Any:
    if "$link" in value:
        return _read_link(value)
    if "$bytes" in value:
        return _read_bytes(value)
    result = {key: _read(item, depth + 1) for key, item in value.items()}
    if "$type" in value:
        _check_type(result)
    return result


def _read_link(value: dict[str, Any]) -> bytes:
    text = value["$link"]
    if len(value) != 1 or not isinstance(text, str):
        raise InvalidDataError("json-link", "other fields, or not a text")
    try:
        return cid_from_text(text)
    except InvalidDataError as error:
        raise InvalidDataError("json-link", error.detail) from error


def _read_bytes(value: dict[str, Any]) -> bytes:
    text = value["$bytes"]
    if len(value) != 1 or not isinstance(text, str):
        raise InvalidDataError("json-bytes", "other fields, or not a text")
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidDataError("json-bytes", str(error)) from error


def _check_type(result: dict[str, Any]) -> None:
    name = result["$type"]
    if not isinstance(name, str) or not name:
        raise InvalidDataError("json-type", "$type is not a text with content")
    if name == "blob":
        _check_blob(result)


def _check_blob(blob: dict[str, Any]) -> None:
    ref, mime_type, size = blob.get("ref"), blob.get("mimeType"), blob.get("size")
    has_ref = isinstance(ref, bytes) and is_cid_bytes(ref)
    if not has_ref or not isinstance(mime_type, str) or type(size) is not int:
        raise InvalidDataError("json-blob", "ref, mimeType and size are a link, a text and an integer")
