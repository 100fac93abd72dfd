"""What a load is given: a shard's batches, as extraction made them. How they are stored is the giver's business."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ShardBatches:
    """What extraction made of a shard.

    Attributes:
        shard: its key.
        fingerprint: names this content; the same one is never loaded twice.
        entries: record entries of its repositories, those set aside included.
        rejected: of these, how many were set aside, by reason.
        version: of the extraction: another one may make other rows of the same records.
        read: the batches of a dataset by its name and, when given, of some columns only.
    """

    shard: str
    fingerprint: str
    entries: int
    rejected: Mapping[str, int]
    version: int
    read: "Callable[[str, list[str] | None], Iterator[pa.RecordBatch]]"
