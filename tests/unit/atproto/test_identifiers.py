"""TIDs and CIDs."""

import pytest

from zeppelin_pipeline.atproto.cid import (
    DAG_CBOR_PREFIX,
    RAW_PREFIX,
    cid_from_text,
    cid_of,
    cid_to_text,
    is_cid_text,
    parse_cid,
    read_varint,
)
from zeppelin_pipeline.atproto.tid import TidClock, int_to_tid, tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError


def test_the_least_and_the_greatest_tid() -> None:
    assert (int_to_tid(0), int_to_tid(2**63 - 1)) == ("2222222222222", "bzzzzzzzzzzzz")
    assert tid_to_int("bzzzzzzzzzzzz") == 2**63 - 1


def test_a_tid_holds_microseconds_and_a_clock() -> None:
    value = tid_to_int("3jzfcijpj2z2a")
    assert tid_micros(value) == value >> 10
    assert int_to_tid(tid_micros(value) << 10 | 6) == "3jzfcijpj2z2a"


@pytest.mark.parametrize("value", [-1, 2**63])
def test_an_integer_of_more_than_63_bits_is_no_tid(value: int) -> None:
    with pytest.raises(ValueError, match="63 bits"):
        int_to_tid(value)


@pytest.mark.parametrize(
    "text", ["", "3jzfcijpj2z2", "3jzfcijpj2z2A", "zzzzzzzzzzzzz", "3jzfcijpj2z2a\n", "٣jzfcijpj2z2a"]
)
def test_a_text_that_is_no_tid_is_refused(text: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        tid_to_int(text)
    assert caught.value.reason == "tid-syntax"


def test_a_clock_rises_though_time_stands_still_or_goes_back() -> None:
    times = iter([1_000, 1_000, 900, 5_000])
    clock = TidClock(5, lambda: next(times))
    tids = [clock.next() for _ in range(4)]
    assert [tid_micros(tid_to_int(tid)) for tid in tids] == [1_000, 1_001, 1_002, 5_000]
    assert all(tid_to_int(tid) & 1023 == 5 for tid in tids)


def test_a_clock_has_ten_bits() -> None:
    with pytest.raises(ValueError, match="1023"):
        TidClock(1024)


EMPTY_MAP = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"


def test_the_cid_of_the_empty_map_is_known() -> None:
    cid = cid_of(b"\xa0")
    assert cid_to_text(cid) == EMPTY_MAP
    assert cid_from_text(EMPTY_MAP) == cid
    assert cid_of(b"\xa0", RAW_PREFIX)[4:] == cid[4:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY_MAP.upper(),
        EMPTY_MAP + "\n",
        EMPTY_MAP[:-1],
        EMPTY_MAP[:-1] + "b",  # the spare bits of the last character are not zero
        EMPTY_MAP[:-1] + "1",
        "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
        "zdj7WWeQ43G6JJvLWQWZpyHuAMq6uYWRjkBXFad11vE2LHhQ7",
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",  # dag-pb
    ],
)
def test_a_text_that_is_not_a_canonical_cid_is_refused(text: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        cid_from_text(text)
    assert caught.value.reason == "cid-syntax"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae", True),
        ("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", True),  # another codec
        ("bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitaf", False),  # spare bits that are not zero
        ("bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soita", False),
        ("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", True),
        ("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx0N", False),  # 0 is not of base58
        ("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5", False),
        ("zdpuAyvkgEDQm9TenwGkd5eNaosSxjgEYd8QatfPetgB1CdEZ", False),  # another multibase
        *((text, False) for text in ("", "b", "Qm", "bafkrei", "not-a-cid", "b" + "a" * 300, "b\u00e9")),
    ],
)
def test_a_cid_has_one_spelling_for_records(text: str, is_one: bool) -> None:
    assert is_cid_text(text) is is_one


def test_a_cid_of_any_kind_can_be_stepped_over() -> None:
    ours, version_0, blake2b = cid_of(b"x"), b"\x12\x20" + b"y" * 32, b"\x01\x71\xa0\xe4\x02\x20" + b"z" * 32
    data = b"--" + ours + version_0 + blake2b + b"--"
    at = 2
    for expected in (ours, version_0, blake2b):
        cid, at = parse_cid(data, at)
        assert cid == expected
    assert at == len(data) - 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cid-truncated"),
        (DAG_CBOR_PREFIX + b"x" * 31, "cid-truncated"),
        (b"\x12\x20", "cid-truncated"),
        (b"\x02\x71\x12\x20" + b"x" * 32, "cid-version"),
        (b"\x01\x71\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cid-truncated"),
        (b"\xff" * 20, "cid-varint"),
        (b"\x80\x00", "cid-varint"),
    ],
)
def test_a_broken_cid_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        parse_cid(data, 0)
    assert caught.value.reason == reason


def test_a_varint_reaches_to_64_bits() -> None:
    assert read_varint(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0) == (2**64 - 1, 10)
    with pytest.raises(InvalidDataError):
        read_varint(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 0)
