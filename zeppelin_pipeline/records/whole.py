"""Records that are kept whole: those of every collection without a family, and those that fail validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.atproto.dag_cbor import decode, decode_lenient
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.lake.schemas import RECORD, REJECTED
from zeppelin_pipeline.records.assembly import assemble, part_of_rows
from zeppelin_pipeline.records.kernels.whole import find_sound
from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.texts import Texts

#: The protocol's limit for one record.
MAX_RECORD_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the record at a position is not valid."""

    position: int
    reason: str
    detail: str


def decode_record(collection: str, block: bytes) -> dict[str, Any]:
    """The map that a record's block holds.

    Raises:
        InvalidDataError: `record-too-large`, `cbor-not-strict` (DAG-CBOR's rules are broken, but it can be read),
            another `cbor-…` (it cannot), `not-a-map`, `type-mismatch` (`$type` is not the collection).
    """
    if len(block) > MAX_RECORD_BYTES:
        raise InvalidDataError("record-too-large", f"{len(block)} bytes of at most {MAX_RECORD_BYTES}")
    try:
        value = decode(block)
    except InvalidDataError as error:
        raise _refusal(block, error) from error
    if type(value) is not dict:
        raise InvalidDataError("not-a-map", repr(type(value)))
    if value.get("$type") != collection:
        raise InvalidDataError("type-mismatch", repr(value.get("$type"))[:200])
    return value


def _refusal(block: bytes, strict: InvalidDataError) -> InvalidDataError:
    """The strict decoder's error, unless the block can be read all the same: then its reason becomes the detail."""
    try:
        decode_lenient(block)
    except InvalidDataError:
        return strict
    return InvalidDataError("cbor-not-strict", strict.reason)


def read_whole(pending: Pending) -> tuple[pa.RecordBatch, list[Fault]]:
    """All pending records as rows of `record`, the invalid ones with their reason, and the faults again as a list."""
    faults: list[Fault] = []
    for position in np.flatnonzero(~_are_sound(pending)).tolist():
        try:
            decode_record(pending.runs[pending.run_of[position]].collection, pending.blocks[position])
        except InvalidDataError as error:
            faults.append(Fault(position, error.reason, error.detail))
    reasons: list[tuple[str | None]] = [(None,)] * len(pending)
    for fault in faults:
        reasons[fault.position] = (fault.reason,)
    return assemble(RECORD, pending, [part_of_rows(RECORD, ("reason",), range(len(pending)), reasons)]), faults


def _are_sound(pending: Pending) -> "npt.NDArray[np.bool_]":
    """Which records `decode_record` would take; it has to be asked about the others."""
    names = Texts()
    names.extend([run.collection.encode() for run in pending.runs])
    is_sound = np.empty(len(pending), np.bool_)
    blocks = pending.blocks
    find_sound(blocks.data, blocks.offsets, names.data, names.offsets, pending.run_of, is_sound)
    return is_sound


def invalid_records(pending: Pending, faults: Sequence[Fault]) -> pa.RecordBatch:
    """The faulty ones of the pending records as rows of `record`."""
    reasons = [(fault.reason,) for fault in faults]
    part = part_of_rows(RECORD, ("reason",), [fault.position for fault in faults], reasons)
    return assemble(RECORD, pending, [part])


def rejections(pending: Pending, faults: Sequence[Fault]) -> pa.RecordBatch:
    """The faults as rows of `rejected`, scope record."""
    rows: list[dict[str, Any]] = []
    for fault in faults:
        run = pending.runs[pending.run_of[fault.position]]
        rows.append({
            "did": run.source.did,
            "host": run.source.host,
            "scope": "record",
            "collection": run.collection,
            "rkey": pending.rkeys[fault.position].decode(),
            "cid": pending.cids[fault.position],
            "reason": fault.reason,
            "detail": fault.detail,
            "records": 1,
        })  # fmt: skip
    return pa.RecordBatch.from_pylist(rows, schema=REJECTED)
