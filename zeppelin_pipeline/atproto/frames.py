"""Frames of event streams: two DAG-CBOR items, a header and a body, in one WebSocket message.

Specification: Event Stream.
"""

from dataclasses import dataclass
from typing import Any

import libipld

from zeppelin_pipeline.atproto.dag_cbor import MAX_DEPTH, encode, is_deep
from zeppelin_pipeline.errors import InvalidDataError

MAX_FRAME_BYTES = 5_000_000
OP_ERROR = -1


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        op: 1 for a message, -1 for an error; others are to be skipped.
        t: the message's type, `#commit`; null for errors.
        body: the message's fields; for errors `error` and perhaps `message`.
    """

    op: int
    t: str | None
    body: dict[str, Any]


def encode_frame(op: int, t: str, body: dict[str, Any]) -> bytes:
    """Return the bytes of a message."""
    return encode({"op": op, "t": t}) + encode(body)


def encode_error_frame(error: str, message: str | None = None) -> bytes:
    """Return the bytes of an error, after which a server closes the stream."""
    body = {"error": error} if message is None else {"error": error, "message": message}
    return encode({"op": OP_ERROR}) + encode(body)


def decode_frame(data: bytes) -> Frame:
    """Read a frame.

    Raises:
        InvalidDataError: `frame-size` beyond 5 MB, `frame-cbor` when it is not DAG-CBOR or nested deeper than the data
            model allows (what is decoded can then be told of in words: that has a limit too), `frame-shape` when it is
            not a header and a body.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise InvalidDataError("frame-size", f"{len(data)} bytes")
    try:
        items: list[Any] = libipld.decode_dag_cbor_multi(data)
    except (ValueError, RecursionError) as error:
        raise InvalidDataError("frame-cbor", str(error)[:200]) from error
    if is_deep(items):
        raise InvalidDataError("frame-cbor", f"more than {MAX_DEPTH} levels")
    if len(items) != 2 or not isinstance(items[0], dict) or not isinstance(items[1], dict):
        raise InvalidDataError("frame-shape", "not a header and a body")
    header, body = items
    op, t = header.get("op"), header.get("t")
    has_type = t is None if op == OP_ERROR else isinstance(t, str)
    if type(op) is not int or not has_type:
        raise InvalidDataError("frame-shape", f"op {op!r}, t {t!r}"[:200])
    return Frame(op, t, body)
