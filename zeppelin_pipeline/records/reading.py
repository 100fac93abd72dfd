"""Pending records of one family to rows: decoded, validated, made columns; invalid ones set aside with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.assembly import Part, assemble, part_of_rows
from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.registry import Family
from zeppelin_pipeline.records.whole import Fault, decode_record


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of the pending records: rows and faults together are as many as they were.

    Attributes:
        rows: of the family's dataset, valid records only.
        faults: the others, by position.
    """

    rows: pa.RecordBatch
    faults: list[Fault]


def read_family(family: Family, pending: Pending) -> Reading:
    """Reads all pending records of a family's collection: the usual ones by its kernel, the rest one by one."""
    if family.compiled is None:
        part, faults = _read_each(family, pending, range(len(pending)))
        return Reading(assemble(family.schema, pending, [part]), faults)
    compiled = family.compiled(pending)
    if len(compiled.positions) == len(pending):
        return Reading(assemble(family.schema, pending, [compiled]), [])
    is_left = np.ones(len(pending), np.bool_)
    is_left[compiled.positions] = False
    part, faults = _read_each(family, pending, np.flatnonzero(is_left).tolist())
    return Reading(assemble(family.schema, pending, [compiled, part]), faults)


def _read_each(family: Family, pending: Pending, positions: Iterable[int]) -> tuple[Part, list[Fault]]:
    kept: list[int] = []
    rows: list[tuple[Any, ...]] = []
    faults: list[Fault] = []
    read, nsid = family.read, family.nsid
    for position in positions:
        block = pending.blocks[position]
        try:
            if family.rkey is not None:
                _check_rkey(pending.rkeys[position], family.rkey)
            record = decode_record(nsid, block)
            row = read(record, block)
            if family.check_place is not None:
                did = pending.runs[pending.run_of[position]].source.did
                family.check_place(record, did, pending.rkeys[position].decode())
            rows.append(row)
            kept.append(position)
        except InvalidDataError as error:
            faults.append(Fault(position, error.reason, error.detail))
    return part_of_rows(family.schema, family.columns, kept, rows), faults


def _check_rkey(rkey: bytes, only: bytes) -> None:
    if rkey != only:
        raise InvalidDataError(f"rkey-not-{only.decode()}", repr(rkey))
