"""Paths of the lake: names from outside never leave their folder."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from zeppelin_pipeline.lake import layout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pds.example.com", "pds.example.com"),
        ("localhost:2583", "localhost%3a2583"),
        ("[::1]:80", "%5b%3a%3a1%5d%3a80"),
        ("../x", "%2e.%2fx"),
        ("..", "%2e."),
        (".", "%2e"),
        (".hidden.tmp", "%2ehidden.tmp"),
        ("a/b\\c\0", "a%2fb%5cc%00"),
        ("UPPER", "%55%50%50%45%52"),
        ("a%2f", "a%252f"),
        ("a~1", "a%7e1"),
    ],
)
def test_a_segment_encodes_what_could_leave_its_folder(text: str, expected: str) -> None:
    assert layout.segment(text) == expected


def test_a_long_name_is_cut_and_keeps_its_identity() -> None:
    long, other = layout.segment("a" * 300), layout.segment("a" * 301)
    assert len(long) == len(other) == 160
    assert long != other
    assert long != layout.segment(long)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        layout.segment("")


def test_every_path_is_where_the_contract_says() -> None:
    noon = datetime(2026, 1, 2, 12, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert layout.pds_list(noon) == "pds_list/20260102T100005.parquet"
    assert layout.listing_page("a.example:81", 3, 12) == "listing/a.example%3a81/000003/page-000012.parquet"
    assert layout.manifest("a.example~00001") == "shards/a.example~00001.parquet"
    assert layout.pack_part("tail~00002", 7) == "packs/tail~00002/part-00007.parquet"
    assert layout.batch("like", "tail~00002", "0123456789ab") == "batches/like/tail~00002-0123456789ab.parquet"
    assert layout.batch_ledger("[::1]:80~00000") == "batches/_shards/%5b%3a%3a1%5d%3a80~00000.parquet"


def test_snapshots_sort_in_order_of_time() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    paths = [layout.pds_list(start + timedelta(hours=7 * n)) for n in range(30)]
    assert paths == sorted(paths)


def test_a_shards_key_is_taken_apart() -> None:
    assert layout.shard_stem(layout.host_shard("a.example:81", 4)) == "a.example:81"
    assert layout.shard_number(layout.tail_shard(12)) == 12
    assert layout.shard_stem(layout.tail_shard(0)) == layout.TAIL


@pytest.mark.parametrize("shard", ["", "a", "a~1", "~00001", "a~0000x", "a~00001/..", "a~b~00001"])
def test_what_is_no_shards_key_names_no_file(shard: str) -> None:
    with pytest.raises(ValueError, match="shard"):
        layout.manifest(shard)


@pytest.mark.parametrize(
    ("dataset", "fingerprint"), [("../x", "0" * 12), ("like", "0" * 11), ("like", "../../../../x")]
)
def test_what_is_no_dataset_or_fingerprint_names_no_file(dataset: str, fingerprint: str) -> None:
    with pytest.raises(ValueError, match="batch"):
        layout.batch(dataset, "tail~00000", fingerprint)
