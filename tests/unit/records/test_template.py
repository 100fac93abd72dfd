"""Templates: what they read is what decoding reads, and what they refuse is left to decoding."""

from typing import Any

import numpy as np
import pytest

from tests.unit.records.samples import BOB, FOLLOW, LIKE, POST, REPOST, follow, like, strong_ref
from zeppelin_pipeline.atproto.dag_cbor import decode, encode
from zeppelin_pipeline.atproto.syntax import parse_datetime
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.registry import FAMILIES
from zeppelin_pipeline.records.template import read_times

VIA = strong_ref(f"at://{BOB}/{REPOST}/3kabcdefghij3")
SUBJECT = strong_ref()


def matching(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What the templates of the record's family read from it: one row, or none."""
    block = encode(record)
    rows: list[dict[str, Any]] = []
    for template in FAMILIES[record["$type"]].templates:
        if template.length == len(block):
            positions, columns = template.match([block])
            rows += [{name: column[0].as_py() for name, column in columns.items()} for _ in positions]
    return rows


@pytest.mark.parametrize(
    "record",
    [like(), like(via=VIA), like() | {"$type": REPOST}, follow(), follow() | {"$type": "app.bsky.graph.block"}],
)
def test_a_template_reads_what_decoding_reads(record: dict[str, Any]):
    family = FAMILIES[record["$type"]]
    block = encode(record)
    decoded = dict(zip(family.columns, family.read(decode(block), block), strict=True))
    (row,) = matching(record)
    assert row.items() <= decoded.items()
    assert {name for name, value in decoded.items() if value is not None} <= row.keys()


def test_every_single_changed_byte_is_either_refused_or_read_as_decoding_reads_it():
    family = FAMILIES[LIKE]
    block = encode(like())
    bytes_tried = (0x00, 0x30, 0x39, 0x3A, 0x41, 0x61, 0x7A, 0xFF)
    changed = [block[:at] + bytes([byte]) + block[at + 1 :] for at in range(len(block)) for byte in bytes_tried]
    positions, columns = family.templates[0].match(changed)
    assert 0 < len(positions) < len(changed)
    for row, position in enumerate(positions.tolist()):
        decoded = dict(zip(family.columns, family.read(decode(changed[position]), changed[position]), strict=True))
        assert decoded["raw"] is None
        assert {name: column[row].as_py() for name, column in columns.items()}.items() <= decoded.items()


@pytest.mark.parametrize(
    "subject",
    [
        SUBJECT | {"cid": SUBJECT["cid"][:-1] + "b"},  # the same 36 bytes, spelled otherwise
        SUBJECT | {"cid": "bafkrei" + SUBJECT["cid"][7:]},
        strong_ref(f"at://{BOB}/{POST}/3KABCDEFGHIJ2"),
        strong_ref(f"at://did:plc:bobbbbbbbbbbbbbbbbbbbbb1/{POST}/3kabcdefghij2"),
    ],
)
def test_a_subject_of_another_form_is_left_to_decoding(subject: dict[str, str]):
    assert matching(like(subject=subject)) == []


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T23:59:59.999Z",
        "2023-02-29T00:00:00.000Z",
        "1900-02-29T00:00:00.000Z",
        "2000-02-29T00:00:00.000Z",
        "1970-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "2024-00-10T00:00:00.000Z",
        "2024-13-10T00:00:00.000Z",
        "2024-04-31T00:00:00.000Z",
        "2024-04-00T00:00:00.000Z",
        "2024-04-30T24:00:00.000Z",
        "2024-04-30T00:60:00.000Z",
        "2024-04-30T00:00:60.000Z",
        "9999-12-31T23:59:59.999Z",
        "2024-04-3:T00:00:00.000Z",
    ],
)
def test_times_are_read_as_the_calendar_has_them(text: str):
    digits = np.delete(np.frombuffer(text.encode(), dtype=np.uint8), [4, 7, 10, 13, 16, 19, 23]).reshape(1, 17)
    micros, are_times = read_times(digits)
    try:
        expected = parse_datetime(text)
    except InvalidDataError:
        assert not are_times[0]
    else:
        assert (bool(are_times[0]), int(micros[0])) == (True, expected)


def test_a_year_before_1000_is_left_to_decoding():
    assert matching(follow(createdAt="0999-01-01T00:00:00.000Z")) == []
    assert FAMILIES[FOLLOW].templates[0].length == len(encode(follow()))
