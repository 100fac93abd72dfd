"""CAR files and whole repositories: framing, hashes, commit, completeness; and every fault with its reason."""

import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.atproto.samples import DID, KEY, REV, Sample, sample_repository
from zeppelin_pipeline.atproto.car import index_blocks, read_car, write_car
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_of
from zeppelin_pipeline.atproto.commit import (
    Commit,
    decode_commit,
    encode_commit,
    sign_commit,
    unsigned_bytes,
    verify_commit,
)
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import decode, encode
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.errors import InvalidDataError

SAMPLE = sample_repository(40)


def reason_of(action: Callable[[], Any]) -> str:
    with pytest.raises(InvalidDataError) as caught:
        action()
    return caught.value.reason


def test_a_whole_repository_opens_with_all_its_records() -> None:
    repository = open_repository(SAMPLE.car)
    assert repository.commit == SAMPLE.commit
    assert repository.entries == SAMPLE.entries
    assert [repository.record_bytes(entry) for entry in repository.entries] == [
        SAMPLE.blocks[cid] for _key, cid in SAMPLE.entries
    ]
    assert repository.get_block(repository.commit_cid) == encode_commit(SAMPLE.commit)
    assert repository.get_block(cid_of(b"nowhere")) is None


def test_views_and_mapped_files_open_alike(tmp_path: Path) -> None:
    path = tmp_path / "repository.car"
    path.write_bytes(SAMPLE.car)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        repositories = [open_repository(memoryview(SAMPLE.car)), open_repository(mapped)]
        assert all(repository.entries == SAMPLE.entries for repository in repositories)
        assert all(isinstance(repository.record_bytes(SAMPLE.entries[0]), bytes) for repository in repositories)


def test_an_empty_repository_opens() -> None:
    assert open_repository(sample_repository(0).car).entries == []


def test_blocks_that_come_twice_or_are_not_reached_are_tolerated() -> None:
    extra = [*SAMPLE.blocks.items(), *SAMPLE.blocks.items(), (cid_of(b"blob", RAW_PREFIX), b"blob")]
    assert open_repository(write_car(SAMPLE.root, extra)).entries == SAMPLE.entries


def test_a_car_cut_off_at_any_place_is_refused() -> None:
    reasons = {reason_of(lambda end=end: open_repository(SAMPLE.car[:end])) for end in range(len(SAMPLE.car))}
    assert reasons == {
        "car-truncated",
        "commit-missing-block",
        "mst-missing-block",
        "record-missing-block",
    }


def test_a_flipped_bit_is_refused_wherever_it_is() -> None:
    for at in range(0, len(SAMPLE.car), 7):
        damaged = bytearray(SAMPLE.car)
        damaged[at] ^= 0x10
        with pytest.raises(InvalidDataError):
            open_repository(bytes(damaged))


def without(cid: bytes) -> bytes:
    return write_car(SAMPLE.root, [(each, block) for each, block in SAMPLE.blocks.items() if each != cid])


def test_a_missing_block_is_told_by_its_kind() -> None:
    assert reason_of(lambda: open_repository(without(SAMPLE.root))) == "commit-missing-block"
    assert reason_of(lambda: open_repository(without(SAMPLE.commit.data))) == "mst-missing-block"
    assert reason_of(lambda: open_repository(without(SAMPLE.entries[7][1]))) == "record-missing-block"


def test_a_block_that_is_not_what_its_cid_says_is_refused() -> None:
    changed = SAMPLE.blocks | {SAMPLE.entries[3][1]: b"\xa0"}
    assert reason_of(lambda: open_repository(write_car(SAMPLE.root, changed.items()))) == "block-hash"


def test_a_frame_too_short_for_the_cid_that_follows_is_refused() -> None:
    # The last byte of the empty block's CID would be read as the length of the next frame, which is sound.
    empty, block = cid_of(b""), bytes(49)
    assert empty[-1] == len(cid_of(block) + block)
    car = SAMPLE.car + bytes((len(empty) - 1,)) + empty + cid_of(block) + block
    assert reason_of(lambda: open_repository(car)) == "car-block-cid"


@pytest.mark.parametrize("block", [b"\xa0" * 60, b"\xa0" * 300], ids=["one byte of length", "two bytes of length"])
def test_a_last_frame_that_claims_more_than_its_block_is_refused(block: bytes) -> None:
    whole = write_car(SAMPLE.root, [*SAMPLE.blocks.items(), (cid_of(block), block)])
    at = whole.rindex(cid_of(block))
    longer = at - (1 if len(block) < 90 else 2)
    car = whole[:longer] + bytes((whole[longer] + 1,)) + whole[longer + 1 :]
    assert reason_of(lambda: open_repository(car)) == "car-truncated"


def test_blocks_behind_one_of_an_unusual_form_are_checked_too() -> None:
    unusual = (cid_of(b"blob", RAW_PREFIX), b"blob")
    assert open_repository(write_car(SAMPLE.root, [unusual, *SAMPLE.blocks.items()])).entries == SAMPLE.entries
    wrong = (cid_of(b"other"), bytes(90))
    car = write_car(SAMPLE.root, [unusual, *SAMPLE.blocks.items(), wrong])
    assert reason_of(lambda: open_repository(car)) == "block-hash"


def test_a_block_of_another_hash_is_refused() -> None:
    blocks = [*SAMPLE.blocks.items(), (b"\x01\x71\xa0\xe4\x02\x20" + b"z" * 32, b"blake2b")]
    assert reason_of(lambda: open_repository(write_car(SAMPLE.root, blocks))) == "car-block-cid"


def test_the_number_of_blocks_is_bounded() -> None:
    count = len(SAMPLE.blocks)
    assert open_repository(SAMPLE.car, max_blocks=count).entries == SAMPLE.entries
    assert reason_of(lambda: open_repository(SAMPLE.car, max_blocks=count - 1)) == "car-blocks"
    assert reason_of(lambda: index_blocks(SAMPLE.car, max_blocks=count - 1)) == "car-blocks"


def car_with_header(header: Any) -> bytes:
    block = encode(header)
    return bytes((len(block),)) + block


CID = cid_of(b"\xa0")


@pytest.mark.parametrize(
    ("car", "reason"),
    [
        (b"", "car-truncated"),
        (b"\x80", "car-truncated"),
        (b"\x80" * 11, "car-varint"),
        (b"\xff" * 9 + b"\x7f", "car-varint"),
        (b"\xff\xff\xff\x7f", "car-header"),
        (b"\x05\xa0", "car-truncated"),
        (b"\x00", "car-header"),
        (b"\x03abc", "car-header"),
        (car_with_header([]), "car-header"),
        (car_with_header({"version": 2, "roots": [CID]}), "car-header"),
        (car_with_header({"version": 1}), "car-header"),
        (car_with_header({"version": 1, "roots": [1]}), "car-header"),
        (car_with_header({"version": 1, "roots": []}), "car-roots"),
        (car_with_header({"version": 1, "roots": [CID, CID]}), "car-roots"),
        (write_car(CID, []) + b"\x00", "car-block-cid"),
        (write_car(CID, []) + b"\x01\x01", "car-block-cid"),
        (write_car(CID, []) + b"\x23" + CID[:35], "car-block-cid"),
        (write_car(CID, []) + b"\x25" + CID, "car-truncated"),
        (write_car(CID, []) + b"\x80\x00", "car-varint"),
        (write_car(CID, []) + b"\xff" * 12, "car-varint"),
        (write_car(CID, []) + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + CID, "car-truncated"),
    ],
)
def test_a_broken_frame_is_refused_with_its_reason(car: bytes, reason: str) -> None:
    assert reason_of(lambda: index_blocks(car)) == reason
    assert reason_of(lambda: open_repository(car)) == reason


def test_frames_of_every_length_of_varint_are_read() -> None:
    blocks = {cid_of(bytes(size)): bytes(size) for size in (0, 91, 92, 16_347, 16_348, 2_097_115, 2_097_116)}
    car = write_car(CID, blocks.items())
    roots, frames = read_car(car)
    assert roots == [CID]
    assert {cid: car[start:end] for cid, start, end in frames} == blocks


def with_commit(**changes: Any) -> bytes:
    fields = decode(encode_commit(SAMPLE.commit)) | changes
    return encode({name: value for name, value in fields.items() if value != "absent"})


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"", "cbor-truncated"),
        (encode([]), "commit-shape"),
        (with_commit(extra=1), "commit-shape"),
        (with_commit(prev="absent"), "commit-shape"),
        (with_commit(version=2), "commit-version"),
        (with_commit(version=True), "commit-version"),
        (with_commit(did="did:plc:"), "commit-did"),
        (with_commit(did=None), "commit-did"),
        (with_commit(rev="zzzzzzzzzzzzz"), "commit-rev"),
        (with_commit(rev=5), "commit-rev"),
        (with_commit(data=None), "commit-shape"),
        (with_commit(data=cid_of(b"", RAW_PREFIX)), "commit-shape"),
        (with_commit(prev=b"x"), "commit-shape"),
        (with_commit(sig="x" * 64), "commit-shape"),
        (with_commit(sig=b"x" * 63), "commit-shape"),
    ],
)
def test_a_broken_commit_is_refused_with_its_reason(block: bytes, reason: str) -> None:
    assert reason_of(lambda: decode_commit(block)) == reason
    car = write_car(cid_of(block), [*SAMPLE.blocks.items(), (cid_of(block), block)])
    assert reason_of(lambda: open_repository(car)) == reason


def test_a_commit_verifies_with_its_key_and_no_other() -> None:
    assert verify_commit(SAMPLE.commit, KEY.public_key)
    assert not verify_commit(SAMPLE.commit, PrivateKey.from_bytes("k256", b"\x05" * 32).public_key)
    assert KEY.public_key.verify(SAMPLE.commit.sig, unsigned_bytes(SAMPLE.commit))


def test_a_signature_that_resembles_a_link_is_written_as_bytes() -> None:
    commit = Commit(DID, REV, CID, None, sig=b"\x01\x02\x03\x04" + b"O" * 60)
    assert decode_commit(encode_commit(commit)) == commit
    assert encode_commit(commit).count(b"\xd8\x2a") == 1


def test_a_commit_may_name_the_one_before() -> None:
    commit = sign_commit(DID, REV, CID, KEY, prev=CID)
    assert decode_commit(encode_commit(commit)) == commit
    assert verify_commit(commit, KEY.public_key)
    assert isinstance(SAMPLE, Sample)
