"""Frames of event streams."""

from typing import Any

import pytest

from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES, Frame, decode_frame, encode_error_frame, encode_frame
from zeppelin_pipeline.errors import InvalidDataError

BODY: dict[str, Any] = {"seq": 5, "blocks": b"\x01\x02\x03\x04" + b"x" * 60, "commit": cid_of(b""), "ops": []}


def test_a_message_goes_through_its_bytes() -> None:
    assert decode_frame(encode_frame(1, "#commit", BODY)) == Frame(1, "#commit", BODY)


def test_the_bytes_are_a_header_and_a_body() -> None:
    assert encode_frame(1, "#x", {"a": 1}) == b"\xa2\x61t\x62#x\x62op\x01\xa1\x61a\x01"


def test_an_error_has_no_type() -> None:
    assert decode_frame(encode_error_frame("FutureCursor", "too far")) == Frame(
        -1, None, {"error": "FutureCursor", "message": "too far"}
    )
    assert decode_frame(encode_error_frame("ConsumerTooSlow")).body == {"error": "ConsumerTooSlow"}


def test_an_unknown_operation_is_a_frame_to_be_skipped() -> None:
    assert decode_frame(encode({"op": 7, "t": "#new"}) + encode({})).op == 7


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "frame-shape"),
        (encode({"op": 1, "t": "#x"}), "frame-shape"),
        (encode({"op": 1, "t": "#x"}) + encode({}) + encode({}), "frame-shape"),
        (encode([]) + encode({}), "frame-shape"),
        (encode({"op": 1, "t": "#x"}) + encode([]), "frame-shape"),
        (encode({"op": 1}) + encode({}), "frame-shape"),
        (encode({"t": "#x"}) + encode({}), "frame-shape"),
        (encode({"op": True, "t": "#x"}) + encode({}), "frame-shape"),
        (encode({"op": -1, "t": "#x"}) + encode({}), "frame-shape"),
        (encode({"op": "1", "t": "#x"}) + encode({}), "frame-shape"),
        (encode({"op": 1, "t": "#x"}) + b"\xa1\x61", "frame-cbor"),
        (encode({"op": 1, "t": "#x"}) + b"\x81" * 100_000, "frame-cbor"),
        (encode({"op": 1, "t": "#x"}) + encode({"a": 1})[:-1] + b"\x81" * 999 + b"\x01", "frame-cbor"),
        (b"\xa2\x61t" + b"\x81" * 999 + b"\x01\x62op\x01" + encode({}), "frame-cbor"),
        (encode({"op": 1, "t": "#x"}) + b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "frame-cbor"),
        (bytes(MAX_FRAME_BYTES + 1), "frame-size"),
    ],
    ids=range(16),
)
def test_a_broken_frame_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        decode_frame(data)
    assert caught.value.reason == reason
