"""Rows in keys: kept from the dictionaries to the writing where there is room, made again where there is none."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import pyarrow as pa
import pytest

from tests.fakes.batches import FakeShard, did, tid
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.dictionaries import named_texts
from zeppelin_pipeline.warehouse.keyed_shard import HELD_BYTES, KeyedShard
from zeppelin_pipeline.warehouse.keys import KeySpace

ALICE, BOB = did(1), did(2)
LIKES = 9


class Noted:
    """Takes the texts of accounts, as the writer of dictionaries does."""

    def __init__(self, keys: BatchKeys) -> None:
        self.dids: set[str] = set()
        self._memory = keys.memories["actor"]
        self._keys = keys
        self._memory.is_noting = True

    def add_batch(self, batch: pa.RecordBatch, named: Mapping[str, str]) -> None:
        for column, dictionary in named.items():
            if dictionary == "actor":
                self._keys.actor_ids(batch[column])
        self.write_new()

    def write_new(self) -> None:
        self.dids |= set(self._memory.take_new()[1].to_pylist())


class Reads:
    """A shard of likes and a follow, whose readings are counted."""

    def __init__(self) -> None:
        fake = FakeShard().repository(ALICE).repository(BOB)
        for number in range(LIKES):
            fake.like((ALICE, BOB)[number % 2], tid(number), (did(10 + number), tid(1)))
        self._batches = fake.follow(ALICE, tid(1), did(50)).batches(batch_rows=4)
        self.batches = replace(self._batches, read=self._read)
        self.counts: Counter[str] = Counter()
        self.columns: dict[str, list[str] | None] = {}

    def _read(self, dataset: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        self.counts[dataset] += 1
        self.columns[dataset] = columns
        return self._batches.read(dataset, columns)


def keyed(reads: Reads, held_bytes: int) -> tuple[KeyedShard, set[str]]:
    keys = BatchKeys(KeySpace(bytes(32)))
    shard, noted = KeyedShard(reads.batches, keys, held_bytes), Noted(keys)
    shard.note_texts(cast("Any", noted))
    return shard, noted.dids


def rows_of(shard: KeyedShard, dataset: str) -> list[dict[str, Any]]:
    return [row for each in shard.rows(dataset) for row in each.rows.to_pylist()]


@pytest.mark.parametrize(("held_bytes", "readings"), [(HELD_BYTES, 1), (0, 3), (300, 3)])
def test_rows_and_texts_are_the_same_with_room_and_without(held_bytes: int, readings: int):
    reads = Reads()
    shard, dids = keyed(reads, held_bytes)
    likes = rows_of(shard, "like")
    assert dids == {ALICE, BOB, did(50), *(did(10 + number) for number in range(LIKES))}
    assert [row["actor_id"] for row in likes] == [
        shard.keys.actor_id((ALICE, BOB)[number % 2]) for number in range(LIKES)
    ]
    assert [row["rkey"] for row in likes] == [shard.keys.rkey_id(tid(number)) for number in range(LIKES)]
    assert reads.counts["like"] == readings


def test_rows_that_were_given_are_not_kept_but_made_again():
    reads = Reads()
    shard, _ = keyed(reads, HELD_BYTES)
    assert rows_of(shard, "like") == rows_of(shard, "like")
    assert (reads.counts["like"], reads.counts["follow"]) == (2, 1)


def test_of_what_is_not_kept_only_texts_are_read_for_the_dictionaries():
    reads = Reads()
    keyed(reads, 0)
    assert reads.columns["like"] == list(named_texts("like"))


def test_rows_can_be_chosen_by_their_owners():
    shard, _ = keyed(Reads(), HELD_BYTES)
    dids = pa.array([ALICE])
    parts = [(rows.only_of(dids).rows.num_rows, rows.without(dids).rows.num_rows) for rows in shard.rows("like")]
    assert parts == [(2, 2), (2, 2), (1, 0)]
