"""The kernels and the careful code agree: on every CAR, sound or damaged, they give the same entries or reason."""

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.atproto.samples import DID, KEY, REV, Sample, sample_repository
from zeppelin_pipeline.atproto import mst, scan
from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_of
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.mst.node import encode_node
from zeppelin_pipeline.atproto.repository import Repository, open_repository
from zeppelin_pipeline.atproto.scan import ScannedRepository, scan_repository
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import make_repository_maker
from zeppelin_pipeline.errors import InvalidDataError

SAMPLE = sample_repository(60)
RECORD = encode({"$type": "x"})
Opened = TypeVar("Opened", Repository, ScannedRepository)


def entries_of(scanned: ScannedRepository) -> list[mst.Entry]:
    starts = scanned.starts.tolist()
    return [(scanned.key(entry), scanned.data[start - 36 : start].tobytes()) for entry, start in enumerate(starts)]


def assert_same_repository(scanned: ScannedRepository, opened: Repository) -> None:
    assert (scanned.commit, scanned.commit_cid) == (opened.commit, opened.commit_cid)
    assert scanned.commit_block == opened.get_block(opened.commit_cid)
    assert entries_of(scanned) == opened.entries
    assert [scanned.record_bytes(entry) for entry in range(len(scanned))] == [
        opened.record_bytes(entry) for entry in opened.entries
    ]
    of_runs = [(run.collection, entry) for run in scanned.runs for entry in range(run.first, run.last)]
    assert of_runs == [(key.split(b"/")[0].decode(), entry) for entry, (key, _) in enumerate(opened.entries)]


def assert_alike(car: bytes) -> str | None:
    """Both give the same; returns the reason for which both refuse it."""
    opened, fault = attempt(open_repository, car)
    scanned, fault_of_scan = attempt(scan_repository, car)
    assert fault == fault_of_scan
    if opened is None or scanned is None:
        return fault[0]
    assert_same_repository(scanned, opened)
    return None


def attempt(read: Callable[[bytes], Opened], car: bytes) -> tuple[Opened | None, tuple[str, str]]:
    try:
        return read(car), ("", "")
    except InvalidDataError as error:
        return None, (error.reason, error.detail)


def is_taken_by_kernels(car: bytes) -> bool:
    return scan._scan(car, scan.DEFAULT_MAX_BLOCKS) is not None


def test_repositories_of_a_network_are_read_by_the_kernels_alone() -> None:
    maker = make_repository_maker(DevnetConfig(repos=60, mean_records=60.0))
    for account in maker.population.accounts:
        car = maker.make(account).car
        assert is_taken_by_kernels(car)
        assert_alike(car)


@pytest.mark.parametrize("records", [0, 1, 2, 60, 700])
def test_repositories_of_all_sizes_are_read_by_the_kernels_alone(records: int) -> None:
    car = sample_repository(records).car
    assert is_taken_by_kernels(car)
    assert_alike(car)


def test_blocks_that_come_twice_or_are_not_reached_are_no_hindrance() -> None:
    extra = [*SAMPLE.blocks.items(), *SAMPLE.blocks.items(), (cid_of(b"blob", RAW_PREFIX), b"blob")]
    car = write_car(SAMPLE.root, extra)
    assert is_taken_by_kernels(car)
    assert_alike(car)


@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6), st.integers(0, 8)), min_size=1, max_size=3
    )
)
@settings(max_examples=150, deadline=None)
def test_a_damaged_car_has_the_same_reason(edits: list[tuple[float, bytes, int]]) -> None:
    car = SAMPLE.car
    for place, new, removed in edits:
        at = int(place * len(car))
        car = car[:at] + new + car[at + removed :]
    assert_alike(car)


def test_a_flipped_bit_has_the_same_reason_wherever_it_is() -> None:
    for at in range(0, len(SAMPLE.car), 31):
        damaged = bytearray(SAMPLE.car)
        damaged[at] ^= 1 << at % 8
        assert assert_alike(bytes(damaged)) is not None


def test_a_car_cut_off_at_any_place_has_the_same_reason() -> None:
    for end in range(0, len(SAMPLE.car), 13):
        assert assert_alike(SAMPLE.car[:end]) is not None


def resigned(blocks: dict[bytes, bytes], data: bytes) -> bytes:
    """A CAR of a tree of any form, hashed and signed as it should be."""
    block = encode_commit(sign_commit(DID, REV, data, KEY))
    return write_car(cid_of(block), [(cid_of(block), block), *blocks.items()])


def rehashed(sample: Sample, changes: dict[bytes, bytes]) -> bytes:
    """The sample with some nodes' blocks changed, and every link to them mended, so that no hash tells."""
    nodes = {cid: block for cid, block in sample.blocks.items() if block[:3] == b"\xa2\x61e"}
    renamed: dict[bytes, bytes] = {}
    blocks = {cid: block for cid, block in sample.blocks.items() if cid not in nodes}
    for cid in children_first(sample.commit.data, nodes):
        block = changes.get(cid, nodes[cid])
        for old, new in renamed.items():
            block = block.replace(old, new)
        renamed[cid] = cid_of(block)
        blocks[renamed[cid]] = block
    return resigned(blocks, renamed[sample.commit.data])


def children_first(root: bytes, nodes: dict[bytes, bytes]) -> Iterator[bytes]:
    for cid in nodes:
        if cid != root and cid in nodes[root]:
            yield from children_first(cid, nodes)
    yield root


TREE = sample_repository(40)
NODES = [cid for cid, block in TREE.blocks.items() if block[:3] == b"\xa2\x61e"]


@given(st.integers(0, len(NODES) - 1), st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_a_damaged_node_under_right_hashes_has_the_same_reason(
    node: int, place: float, new: bytes, removed: int
) -> None:
    block = TREE.blocks[NODES[node]]
    at = int(place * len(block))
    changed = block[:at] + new + block[at + removed :]
    assert_alike(rehashed(TREE, {NODES[node]: changed}))


def test_every_byte_of_every_node_matters_to_both_alike() -> None:
    reasons: set[str | None] = set()
    rng = random.Random(5)
    for cid in NODES:
        block = TREE.blocks[cid]
        for at in range(0, len(block), 3):
            changed = bytearray(block)
            changed[at] = rng.randrange(256)
            reasons.add(assert_alike(rehashed(TREE, {cid: bytes(changed)})))
    assert {"mst-shape", "mst-order", "mst-height", "mst-key", "mst-prefix", "mst-missing-block"} <= reasons


def leaf(*keys: bytes, left: bytes | None = None) -> bytes:
    return encode_node(left, [(key, cid_of(RECORD), None) for key in keys])


def flat_keys(count: int, collection: bytes = b"a.b.c") -> list[bytes]:
    """Keys of height 0, ascending."""
    keys = (collection + b"/" + f"{number:05}".encode() for number in range(100_000))
    return [key for key, _ in zip((key for key in keys if mst.key_height(key) == 0), range(count), strict=False)]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (leaf(), None),
        (leaf(*flat_keys(3)), None),
        (leaf(*reversed(flat_keys(3))), "mst-order"),
        (leaf(flat_keys(1)[0], flat_keys(1)[0]), "mst-order"),
        (leaf(*flat_keys(2), left=cid_of(leaf(*flat_keys(1)))), "mst-height"),
        (leaf(left=cid_of(leaf(*flat_keys(1)))), "mst-empty"),
        (encode_node(None, [(flat_keys(1)[0], cid_of(b"absent"), None)]), "record-missing-block"),
        (encode_node(None, [(flat_keys(1)[0], cid_of(RECORD, RAW_PREFIX), None)]), "mst-shape"),
        *(
            (leaf(key), "mst-key")
            for key in (b"a.b.c/", b"/x", b"abc/x", b"a.b.c/x/y", b"a.b.c/.", b"a.b.c/..", b"a.b.c")
        ),
        (leaf(b"a.b.c/" + b"x" * 513), "mst-key"),
        (leaf(b"a.b.c/\x80"), "mst-key"),
        (leaf(b"a." + b"b" * 63 + b".c/" + b"x" * 512), None),
    ],
)
def test_hand_made_trees_have_the_same_reason(node: bytes, reason: str | None) -> None:
    below = leaf(*flat_keys(1))
    blocks = {cid_of(block): block for block in (node, below, RECORD)}
    assert assert_alike(resigned(blocks, cid_of(node))) == reason


def test_long_keys_that_share_their_prefix_are_left_to_the_careful_code() -> None:
    keys = flat_keys(3000, b"a." + b".".join([b"b" * 60] * 4) + b".c")
    node = leaf(*keys)
    car = resigned({cid_of(node): node, cid_of(RECORD): RECORD}, cid_of(node))
    assert not is_taken_by_kernels(car)
    assert assert_alike(car) is None


def test_too_many_blocks_are_refused_by_the_careful_code() -> None:
    assert not scan._scan(SAMPLE.car, 10)
    with pytest.raises(InvalidDataError, match="car-blocks"):
        scan_repository(SAMPLE.car, max_blocks=10)


def test_what_the_kernels_leave_is_bounded_more_tightly() -> None:
    damaged = bytearray(SAMPLE.car)
    damaged[-1] ^= 1
    assert assert_alike(bytes(damaged)) == "block-hash"
    with pytest.raises(InvalidDataError, match="car-blocks"):
        scan_repository(bytes(damaged), careful_max_blocks=10)
