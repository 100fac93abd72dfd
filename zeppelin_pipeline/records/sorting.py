"""Pending records of one collection, or of those without a family, to rows by dataset; they are read elsewhere."""

from dataclasses import dataclass

import pyarrow as pa

from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.reading import read_family
from zeppelin_pipeline.records.registry import FAMILIES, WHOLE
from zeppelin_pipeline.records.whole import Fault, invalid_records, read_whole


@dataclass(frozen=True, slots=True)
class Sorted:
    """What became of pending records.

    Attributes:
        rows: batches with the dataset that each belongs to; together they have a row for each record.
        faults: the invalid ones, which are among the rows of the dataset `record`.
    """

    rows: tuple[tuple[str, pa.RecordBatch], ...]
    faults: list[Fault]


def pending_key(collection: str) -> str:
    """Under which key records of a collection wait together, so that they can be read at once."""
    return collection if collection in FAMILIES else WHOLE


def read_pending(key: str, pending: Pending) -> Sorted:
    """Read records that wait under one `pending_key`."""
    family = FAMILIES.get(key)
    if family is None:
        rows, faults = read_whole(pending)
        return Sorted(((WHOLE, rows),), faults)
    reading = read_family(family, pending)
    valid = (family.dataset, reading.rows)
    if not reading.faults:
        return Sorted((valid,), [])
    return Sorted((valid, (WHOLE, invalid_records(pending, reading.faults))), reading.faults)
