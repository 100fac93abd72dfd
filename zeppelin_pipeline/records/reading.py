"""Pending records of one family to rows: decoded, validated, made columns; invalid ones set aside with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.assembly import Part, Positions, assemble, part_of_rows, plain_type
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
    """Reads all pending records of a family's collection: by templates where they fit, the rest one by one."""
    if not family.templates:
        part, faults = _read_each(family, pending, range(len(pending)))
        return Reading(assemble(family.schema, pending, [part]), faults)
    parts, rest = _read_by_templates(family, pending)
    faults: list[Fault] = []
    if len(rest) or not parts:
        part, faults = _read_each(family, pending, rest.tolist())
        parts.append(part)
    return Reading(assemble(family.schema, pending, parts), faults)


def _read_by_templates(family: Family, pending: Pending) -> tuple[list[Part], Positions]:
    lengths = np.fromiter(map(len, pending.blocks), dtype=np.int64, count=len(pending))
    is_left = np.ones(len(pending), dtype=np.bool_)
    parts: list[Part] = []
    for template in family.templates:
        candidates = np.flatnonzero(lengths == template.length)
        if not len(candidates):
            continue
        fitting, columns = template.match(_blocks_at(pending, candidates))
        if len(fitting):
            positions = candidates[fitting]
            is_left[positions] = False
            parts.append(Part(positions, _completed(family, columns, len(positions))))
    return parts, np.flatnonzero(is_left)


def _blocks_at(pending: Pending, positions: Positions) -> list[bytes]:
    if len(positions) == len(pending):
        return pending.blocks
    return [pending.blocks[position] for position in positions.tolist()]


def _completed(family: Family, columns: dict[str, pa.Array], count: int) -> dict[str, pa.Array]:
    """The family's columns, null where the template has none: a `via` that is not there, and `raw`, not needed."""
    return {
        name: columns[name] if name in columns else pa.nulls(count, plain_type(family.schema.field(name).type))
        for name in family.columns
    }


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
