"""Extraction of hand-made shards: what becomes rows, what is set aside, and that it is done once."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.pipeline.extract_repositories import (
    FETCHED_AT,
    HOST,
    KEY,
    REV,
    SHARD,
    Account,
    read_dataset,
    records,
    write_pack,
)
from tests.unit.records.samples import ALICE, BOB, follow, like, post, profile
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import decode_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import PACK, RECORD_DATASETS
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.extract_output import Limits
from zeppelin_pipeline.repos.marker import ExtractResult
from zeppelin_pipeline.repos.pack import pack_rows

CAROL = "did:plc:carolccccccccccccccccccc"
THING = {"$type": "com.example.thing", "name": "friends"}
ALL_KINDS = records(
    like(), like(createdAt="2024-05-06T07:08:09Z"), like(subject="?"), post(), profile(), follow(),
    follow() | {"$type": "app.bsky.graph.block"}, like() | {"$type": "app.bsky.feed.repost"}, THING,
)  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def extract(lake: Lake, *rows: dict[str, Any]) -> ExtractResult:
    write_pack(lake, *rows)
    return extract_shard(lake, SHARD)


def assert_counts_add_up(lake: Lake, result: ExtractResult) -> None:
    typed = sum(result.rows.get(name, 0) for name in RECORD_DATASETS if name not in {"repo", "rejected"})
    aside = sum(row["records"] for row in read_dataset(lake, "rejected") if row["scope"] == "repository")
    assert result.entries == typed + aside


def test_every_record_of_a_repository_is_in_one_dataset(lake: Lake):
    account = Account(ALICE, ALL_KINDS)
    result = extract(lake, account.row())
    assert result.rows == {
        "profile": 1, "post": 1, "like": 2, "repost": 1, "follow": 1, "block": 1, "record": 2, "repo": 1, "rejected": 1,
    }  # fmt: skip
    assert result.rejected == {"subject-not-strong-ref": 1}
    assert result.states == {"synchronized": 1}
    assert_counts_add_up(lake, result)


def test_the_repository_row_carries_what_proves_it(lake: Lake):
    account = Account(ALICE, ALL_KINDS)
    extract(lake, account.row())
    (repo,) = read_dataset(lake, "repo")
    root, blocks = account.blocks()
    assert (repo["commit_cid"], repo["commit"], repo["rev"]) == (root, blocks[root], REV)
    assert repo["data_cid"] == decode_commit(blocks[root]).data
    assert (repo["state"], repo["status"], repo["records"], repo["host"]) == ("synchronized", "active", 9, HOST)
    assert (repo["handle"], repo["pds"], repo["fetched_at"]) == ("alice.test", "https://pds.test", FETCHED_AT)


def test_the_original_bytes_of_every_record_can_be_given_back(lake: Lake):
    extract(lake, Account(ALICE, ALL_KINDS).row())
    by_cid = {cid_of(block): block for block in ALL_KINDS.values()}
    for dataset in ("post", "profile", "record"):
        assert all(row["raw"] == by_cid[row["cid"]] for row in read_dataset(lake, dataset))
    assert [row["raw"] is None for row in read_dataset(lake, "like")] == [True, False]


def test_rows_of_several_repositories_keep_their_accounts(lake: Lake):
    accounts = [Account(did, records(*[like()] * count)) for did, count in ((ALICE, 3), (BOB, 0), (CAROL, 2))]
    result = extract(lake, *(account.row() for account in accounts))
    assert Counter(row["did"] for row in read_dataset(lake, "like")) == {ALICE: 3, CAROL: 2}
    assert result.states == {"synchronized": 3}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda account: account.row(car=Account(BOB, ALL_KINDS).car()), "commit-other-did"),
        (lambda account: account.row(did_document=account.document(PrivateKey.generate("p256"))), "signature-invalid"),
        (lambda account: account.row(did_document=account.document(None)), "did-no-signing-key"),
        (lambda account: account.row(did_document="{}"), "did-document"),
        (lambda account: account.row(did_document=None), "did-document"),
        (lambda account: account.row(fetched_at=FETCHED_AT - timedelta(days=300)), "rev-in-future"),
    ],
)  # fmt: skip
def test_a_repository_that_is_not_proven_is_set_aside_with_all_its_entries(lake: Lake, make: Any, reason: str):
    good = Account(CAROL, records(like()))
    result = extract(lake, make(Account(ALICE, ALL_KINDS)), good.row())
    assert result.states == {"invalid": 1, "synchronized": 1}
    assert result.rejected == {reason: 9}
    states = {row["did"]: (row["state"], row["reason"]) for row in read_dataset(lake, "repo")}
    assert states == {ALICE: ("invalid", reason), CAROL: ("synchronized", None)}
    assert_counts_add_up(lake, result)


def test_a_repository_signed_by_the_key_of_its_time_is_held_and_says_so(lake: Lake):
    account, now = Account(ALICE, ALL_KINDS), PrivateKey.generate("p256")
    keys = [now.public_key.to_multibase(), KEY.public_key.to_multibase()]
    result = extract(lake, account.row(did_document=account.document(now), former_keys=keys))
    assert result.states == {"synchronized": 1}
    assert "signature-invalid" not in result.rejected
    [repo] = read_dataset(lake, "repo")
    assert (repo["state"], repo["reason"], repo["rev"]) == ("synchronized", "former-key", account.rev)
    assert repo["signing_key"] == now.public_key.to_multibase()


@pytest.mark.parametrize("keys", [["zQ3shNotAKey"], ["", "z"], [PrivateKey.generate("k256").public_key.to_multibase()]])
def test_a_former_key_that_did_not_sign_proves_nothing(lake: Lake, keys: list[str]):
    account = Account(ALICE, ALL_KINDS)
    document = account.document(PrivateKey.generate("p256"))
    result = extract(lake, account.row(did_document=document, former_keys=keys))
    assert (result.states, result.rejected) == ({"invalid": 1}, {"signature-invalid": 9})


def test_a_pack_of_before_the_former_keys_is_read(lake: Lake):
    row = Account(ALICE, ALL_KINDS).row()
    old = pa.Table.from_pylist([row], schema=PACK).drop_columns(["former_keys"])
    lake.write_table(layout.pack_part(SHARD, 0), old)
    assert extract_shard(lake, SHARD).states == {"synchronized": 1}
    assert next(pack_rows(lake, SHARD)).former_keys is None


def test_a_missing_record_block_makes_the_repository_invalid(lake: Lake):
    account = Account(ALICE, ALL_KINDS)
    missing = cid_of(next(iter(ALL_KINDS.values())))
    result = extract(lake, account.row(car=account.car(without=[missing])))
    assert (result.states, result.rejected) == ({"invalid": 1}, {"record-missing-block": 9})


def test_a_flipped_byte_makes_the_repository_invalid(lake: Lake):
    account = Account(ALICE, ALL_KINDS)
    car = bytearray(account.car())
    car[-10] ^= 1
    result = extract(lake, account.row(car=bytes(car)))
    assert (result.states, result.rejected) == ({"invalid": 1}, {"block-hash": 9})


def test_a_repository_cut_off_in_its_tree_counts_what_can_be_seen(lake: Lake):
    many = records(*[like(createdAt=f"2024-05-06T07:08:09.{index:03d}Z") for index in range(100)])
    account = Account(ALICE, many)
    root, blocks = account.blocks()
    last_node = list(blocks)[len(blocks) - len(many) - 1]
    assert last_node != root
    result = extract(lake, account.row(car=account.car(without=[last_node])))
    (reason,) = result.rejected
    assert reason == "mst-missing-block"
    assert result.entries == result.rejected[reason] < 100


def test_rubbish_instead_of_a_repository_is_set_aside(lake: Lake):
    result = extract(lake, Account(ALICE).row(car=b"\xff" * 100))
    assert (result.states, result.entries) == ({"invalid": 1}, 0)


def test_one_bad_block_never_costs_the_rest_of_its_repository(lake: Lake):
    bad = {"app.bsky.feed.like/3kzzzzzzzzzz2": b"\xa1\x65$type\xf9\x3c\x00", "app.bsky.feed.post/bad": b"\xff"}
    result = extract(lake, Account(ALICE, {**ALL_KINDS, **bad}).row())
    assert (result.states, result.entries) == ({"synchronized": 1}, 11)
    kept = {row["rkey"]: (row["reason"], row["raw"]) for row in read_dataset(lake, "record")}
    assert kept["3kzzzzzzzzzz2"] == ("cbor-not-strict", bad["app.bsky.feed.like/3kzzzzzzzzzz2"])
    assert kept["bad"][1] == b"\xff"
    assert_counts_add_up(lake, result)


def test_absent_and_failed_repositories_have_rows_too(lake: Lake):
    gone = Account(ALICE).row(state="absent", reason="takendown", car=None, did_document=None, rev=None)
    lost = Account(BOB).row(state="failed", reason="timeout", car=None, did_document=None, rev=None)
    cut = Account(CAROL, ALL_KINDS)
    damaged = cut.row(state="failed", reason="car-truncated", car=cut.car()[:-20])
    result = extract(lake, gone, lost, damaged)
    states = {row["did"]: (row["state"], row["status"], row["reason"]) for row in read_dataset(lake, "repo")}
    assert states == {
        ALICE: ("absent", "takendown", "takendown"),
        BOB: ("failed", None, "timeout"),
        CAROL: ("failed", None, "car-truncated"),
    }
    assert (result.entries, result.rejected) == (9, {"car-truncated": 9})


def test_a_later_part_of_the_pack_wins(lake: Lake):
    account = Account(ALICE, records(like()))
    write_pack(lake, account.row(state="failed", reason="timeout", car=None))
    write_pack(lake, account.row(), part=1)
    assert extract_shard(lake, SHARD).states == {"synchronized": 1}


def test_the_same_pack_is_not_extracted_again(lake: Lake):
    first = extract(lake, Account(ALICE, ALL_KINDS).row())
    files = lake.list("batches")
    second = extract_shard(lake, SHARD)
    assert (first.is_reused, second.is_reused) == (False, True)
    assert (second.fingerprint, second.rows, second.entries) == (first.fingerprint, first.rows, first.entries)
    assert lake.list("batches") == files


def test_a_new_part_replaces_the_earlier_files(lake: Lake):
    extract(lake, Account(ALICE, ALL_KINDS).row())
    before = set(lake.list("batches"))
    write_pack(lake, Account(BOB, records(like())).row(), part=1)
    result = extract_shard(lake, SHARD)
    after = set(lake.list("batches"))
    assert after & before == {layout.batch_ledger(SHARD)}
    assert all(result.fingerprint in path for path in after - {layout.batch_ledger(SHARD)})


def test_the_same_pack_gives_the_same_bytes_whatever_the_limits_of_memory(tmp_path: Path):
    rows = [Account(did, ALL_KINDS).row() for did in (ALICE, BOB, CAROL)]
    datasets: list[dict[str, list[dict[str, Any]]]] = []
    for name, limits in (("a", Limits()), ("b", Limits()), ("c", Limits(2, 500, 3, 1000))):
        lake = Lake(str(tmp_path / name))
        write_pack(lake, *rows)
        extract_shard(lake, SHARD, limits=limits)
        datasets.append({dataset: read_dataset(lake, dataset) for dataset in RECORD_DATASETS})
    files = [sorted(path for path in (tmp_path / name / "batches").rglob("*-*.parquet")) for name in ("a", "b")]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
    assert datasets[0] == datasets[1]
    by_key = [{dataset: sorted(map(repr, rows)) for dataset, rows in each.items()} for each in datasets]
    assert by_key[0] == by_key[2]


def test_an_extraction_that_breaks_off_leaves_no_file(lake: Lake):
    write_pack(lake, Account(ALICE, ALL_KINDS).row(), Account(BOB).row(car=None))
    with pytest.raises(CorruptStateError, match="without its repository"):
        extract_shard(lake, SHARD, limits=Limits(1, 1, 1, 1))
    assert lake.list("batches") == []


def test_progress_is_told_at_the_end(lake: Lake):
    write_pack(lake, Account(ALICE, ALL_KINDS).row(), Account(BOB).row())
    told: list[tuple[int, int]] = []
    extract_shard(lake, SHARD, progress=lambda repositories, entries: told.append((repositories, entries)))
    assert told == [(2, 9)]


def test_a_shard_without_a_pack_is_an_error_of_the_caller(lake: Lake):
    with pytest.raises(FileNotFoundError, match="no pack"):
        extract_shard(lake, SHARD)


def test_a_rev_five_minutes_ahead_is_allowed(lake: Lake):
    ahead = int((FETCHED_AT + timedelta(minutes=4)).timestamp() * 1_000_000)
    account = Account(ALICE, records(like()), rev=int_to_tid(ahead << 10))
    assert extract(lake, account.row()).states == {"synchronized": 1}


def test_a_record_larger_than_the_limit_is_kept_as_invalid(lake: Lake):
    large = encode(post(text="a", filler="b" * 1_000_000))
    result = extract(lake, Account(ALICE, {"app.bsky.feed.post/3kaaaaaaaaaaa": large}).row())
    assert result.rejected == {"record-too-large": 1}
    assert read_dataset(lake, "record")[0]["raw"] == large
