"""A shard's records as rows of the warehouse, read once for the dictionaries and once to be written.

What was keyed for the dictionaries is kept for the writing as far as memory allows: a dataset whose rows do not fit is
read and keyed again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.dictionaries import ACTOR, DictionaryWriter, named_texts
from zeppelin_pipeline.warehouse.rows import is_of
from zeppelin_pipeline.warehouse.tables import TABLES

#: Of rows that are kept. Those of a million likes take 110 MB.
HELD_BYTES: Final = 128 << 20


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """Rows of a table, and whose each of them is.

    Attributes:
        owners: DIDs, encoded by a dictionary.
        rows: as the table takes them.
    """

    owners: pa.Array
    rows: pa.RecordBatch

    def only_of(self, dids: pa.Array) -> "KeyedRows":
        """The rows whose owner is one of `dids`."""
        return self._filtered(is_of(self.owners, dids))

    def without(self, dids: pa.Array) -> "KeyedRows":
        """The rows whose owner is none of `dids`."""
        return self._filtered(pc.invert(is_of(self.owners, dids)))

    def _filtered(self, mask: pa.Array) -> "KeyedRows":
        return KeyedRows(self.owners.filter(mask), self.rows.filter(mask))


class KeyedShard:
    """The rows of a shard's record datasets.

    Attributes:
        batches: of the shard.
        keys: of the warehouse, and of all texts that were read.
    """

    def __init__(self, batches: ShardBatches, keys: BatchKeys, held_bytes: int = HELD_BYTES) -> None:
        """Nothing is read yet.

        Args:
            batches: of the shard.
            keys: of the warehouse.
            held_bytes: of rows that are kept from one reading to the next, at most.
        """
        self.batches = batches
        self.keys = keys
        self._room_bytes = held_bytes
        self._held: dict[str, list[KeyedRows]] = {}

    def note_texts(self, writer: DictionaryWriter) -> None:
        """Gives the writer every text that the shard's rows, repositories and rejections need a key for."""
        for dataset in ("repo", "rejected"):
            for batch in self.batches.read(dataset, ["did"]):
                writer.add_batch(batch, {"did": ACTOR})
        for dataset in TABLES:
            if not self._hold(dataset, writer):
                named = named_texts(dataset)
                for batch in self.batches.read(dataset, list(named)):
                    writer.add_batch(batch, named)

    def rows(self, dataset: str) -> Iterator[KeyedRows]:
        """A dataset's rows; those that were kept are let go of as they are given."""
        held = self._held.pop(dataset, None)
        if held is None:
            yield from self._read(dataset)
            return
        held.reverse()
        while held:
            yield held.pop()

    def _read(self, dataset: str) -> Iterator[KeyedRows]:
        table = TABLES[dataset]
        for batch in self.batches.read(dataset, table.sources):
            yield KeyedRows(batch["did"], table.to_rows(batch, self.keys))

    def _hold(self, dataset: str, writer: DictionaryWriter) -> bool:
        """Keys a dataset's rows and keeps them; false, and nothing is kept, when there is no room for all."""
        held: list[KeyedRows] = []
        room_bytes = self._room_bytes
        for keyed in self._read(dataset):
            writer.write_new()
            room_bytes -= keyed.owners.nbytes + keyed.rows.nbytes
            if room_bytes < 0:
                return False
            held.append(keyed)
        self._room_bytes = room_bytes
        self._held[dataset] = held
        return True
