"""Packs: the latest row of each DID, durable by size and age, read in bounded memory."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.pack import (
    ABSENT,
    FAILED,
    FETCHED,
    PackRow,
    PackSettings,
    PackWriter,
    pack_rows,
    settled_dids,
)
from zeppelin_pipeline.repos.pack_cut import cut_pack

SHARD = "pds.example~00000"
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def row(did: str, state: str = FETCHED, car: bytes | None = b"car") -> PackRow:
    reason = None if state == FETCHED else "timeout"
    return PackRow(did, "pds.example", "3laaaaaaaaa22", state, reason, None, AT, "{}", None, car)


def write(lake: Lake, *rows: PackRow, settings: PackSettings | None = None) -> PackWriter:
    writer = PackWriter(lake, SHARD, settings)
    for each in rows:
        writer.add(each)
    writer.flush()
    return writer


def read(lake: Lake) -> list[PackRow]:
    return [replace(each, car=None if each.car is None else bytes(each.car)) for each in pack_rows(lake, SHARD)]


def test_rows_are_read_back_as_they_were_written(lake: Lake) -> None:
    rows = [row("did:a"), replace(row("did:b", ABSENT, None), did_document=None), row("did:c", car=b"")]
    write(lake, *rows)
    assert read(lake) == rows


def test_a_later_part_wins_and_within_a_part_the_later_row(lake: Lake) -> None:
    write(lake, row("did:a", FAILED), row("did:b"), row("did:c", FAILED, b"1"), row("did:c", FAILED, b"2"))
    write(lake, row("did:a", FETCHED, b"new"))
    assert {(each.did, each.car) for each in read(lake)} == {("did:a", b"new"), ("did:b", b"car"), ("did:c", b"2")}
    assert settled_dids(lake, SHARD) == {"did:a", "did:b"}


def test_fetched_and_absent_settle_and_failed_does_not(lake: Lake) -> None:
    assert settled_dids(lake, SHARD) == set()
    write(lake, row("did:a"), row("did:b", ABSENT, None), row("did:c", FAILED, None))
    assert settled_dids(lake, SHARD) == {"did:a", "did:b"}


def test_nothing_is_there_before_a_flush_and_nothing_after_an_abort(lake: Lake) -> None:
    writer = PackWriter(lake, SHARD, PackSettings(row_group_bytes=1))
    writer.add(row("did:a"))
    assert lake.list("packs") == []
    writer.abort()
    writer.flush()
    assert lake.list("packs") == []


def test_a_part_is_closed_at_its_size(lake: Lake) -> None:
    settings = PackSettings(part_bytes=1000, row_group_bytes=300)
    writer = write(lake, *(row(f"did:{n:02d}", car=bytes(98)) for n in range(25)), settings=settings)
    assert [part.rows for part in writer.parts] == [10, 10, 5]
    with lake.open_parquet(writer.parts[0].path) as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 3, 3, 1]
    assert len(read(lake)) == 25


def test_a_part_is_closed_at_its_age(lake: Lake) -> None:
    writer = PackWriter(lake, SHARD, PackSettings(part_seconds=0.02))
    writer.add(row("did:a"))
    writer.flush_old()
    assert writer.parts == []
    time.sleep(0.03)
    writer.flush_old()
    writer.flush_old()
    assert [part.rows for part in writer.parts] == [1]


def test_a_new_writer_goes_on_behind_the_last_part(lake: Lake) -> None:
    write(lake, row("did:a"))
    write(lake, row("did:b"))
    lake.delete("packs/pds.example~00000/part-00000.parquet")
    write(lake, row("did:c"))
    assert lake.list("packs") == [f"packs/pds.example~00000/part-0000{n}.parquet" for n in (1, 2)]


def test_flushing_nothing_writes_nothing(lake: Lake) -> None:
    assert write(lake).parts == []
    assert read(lake) == []


def test_a_large_car_is_written_in_pieces_and_read_back_whole(lake: Lake) -> None:
    large = [
        row("did:b", car=bytes(range(250)) * 4),
        row("did:d", FAILED, car=b"x" * 301),
        row("did:e", car=b"y" * 300),
    ]
    rows = [row("did:a"), large[0], row("did:c"), *large[1:]]
    write(lake, *rows, settings=PackSettings(piece_bytes=100))
    assert read(lake) == rows
    assert settled_dids(lake, SHARD) == {"did:a", "did:b", "did:c", "did:e"}


def test_of_a_large_car_that_was_fetched_again_the_later_one_counts(lake: Lake) -> None:
    settings = PackSettings(piece_bytes=100, row_group_bytes=50)
    first, second = row("did:a", FAILED, b"1" * 950), row("did:a", car=b"2" * 450)
    write(lake, first, row("did:b"), second, settings=settings)
    assert read(lake) == [row("did:b"), second]
    write(lake, row("did:a", ABSENT, None), settings=settings)
    assert read(lake) == [row("did:b"), row("did:a", ABSENT, None)]


def test_a_cut_keeps_the_pieces_of_what_stays_and_drops_those_of_what_goes(lake: Lake) -> None:
    settings = PackSettings(piece_bytes=100)
    kept, gone = row("did:kept", car=b"k" * 350), row("did:gone", car=b"g" * 350)
    write(lake, row("did:kept", FAILED, b"f" * 250), gone, kept, settings=settings)
    cut_pack(lake, SHARD, {"did:gone": "deleted"}, without_cars=False)
    [emptied, whole] = read(lake)
    assert whole == kept
    assert (emptied.did, emptied.state, emptied.reason, emptied.car) == ("did:gone", ABSENT, "deleted", None)
    cut_pack(lake, SHARD, {}, without_cars=True)
    assert [each.car for each in read(lake)] == [None, None]
