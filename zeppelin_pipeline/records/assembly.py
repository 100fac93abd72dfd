"""From parts of columns to a dataset's rows: put in order, and the columns that every dataset has added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.texts import fixed_column

Positions: TypeAlias = "npt.NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of some of the pending records: row i is of the record at `positions[i]`."""

    positions: Positions
    columns: Mapping[str, pa.Array]


def part_of_rows(
    schema: pa.Schema, names: Sequence[str], positions: Sequence[int], rows: Sequence[tuple[Any, ...]]
) -> Part:
    """The part that rows of Python values make, their values in the order of `names`."""
    values = zip(*rows, strict=True) if rows else ((),) * len(names)
    columns = {
        name: pa.array(column, plain_type(schema.field(name).type)) for name, column in zip(names, values, strict=True)
    }
    return Part(np.array(positions, dtype=np.int64), columns)


def assemble(schema: pa.Schema, pending: Pending, parts: Sequence[Part]) -> pa.RecordBatch:
    """One batch of the dataset's rows, in the order in which they were added to `pending`.

    Columns that no part has are made here: did, collection, rkey, cid, indexed_at, and raw where it is always kept.
    """
    positions, columns = _in_order(parts)
    made = _Maker(pending, positions, columns)
    arrays = [columns[name] if name in columns else made.column(name) for name in schema.names]
    typed = [_typed(array, data_type) for array, data_type in zip(arrays, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(typed, schema=schema)


def _in_order(parts: Sequence[Part]) -> tuple[Positions, dict[str, pa.Array]]:
    if len(parts) == 1:
        return parts[0].positions, dict(parts[0].columns)
    positions = np.concatenate([part.positions for part in parts])
    columns = {name: _concat([part.columns[name] for part in parts]) for name in parts[0].columns}
    order = np.argsort(positions, kind="stable")
    indices = pa.array(order)
    return positions[order], {name: column.take(indices) for name, column in columns.items()}


def _concat(arrays: Sequence[pa.Array]) -> pa.Array:
    """One array; where one of them has a dictionary, the others are given one."""
    if any(pa.types.is_dictionary(array.type) for array in arrays):
        arrays = [array if pa.types.is_dictionary(array.type) else array.dictionary_encode() for array in arrays]
    return pa.concat_arrays(arrays)


class _Maker:
    """Makes the columns that follow from where a record was found."""

    def __init__(self, pending: Pending, positions: Positions, columns: Mapping[str, pa.Array]) -> None:
        self._pending = pending
        self._positions = positions
        self._is_whole = len(positions) == len(pending)
        self._columns = columns

    def column(self, name: str) -> pa.Array:
        match name:
            case "did":
                return self._by_run([run.source.did for run in self._pending.runs])
            case "collection":
                return self._by_run([run.collection for run in self._pending.runs])
            case "rkey":
                return self._of_all(self._pending.rkeys.column(pa.string()))
            case "cid":
                return self._of_all(fixed_column(self._pending.cids.data, CID_BYTES))
            case "raw":
                return self._of_all(self._pending.blocks.column(pa.binary()))
            case "indexed_at":
                return self._indexed_at()
            case _:
                raise AssertionError(f"no part has the column {name}")

    def _by_run(self, texts: list[str]) -> pa.DictionaryArray:
        """A dictionary column from one text a run, without a look at each record."""
        codes: dict[str, int] = {}
        code_of_run = np.array([codes.setdefault(text, len(codes)) for text in texts], dtype=np.int32)
        indices = code_of_run[self._pending.run_of[self._positions]]
        return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(list(codes), pa.string()))

    def _of_all(self, array: pa.Array) -> pa.Array:
        return array if self._is_whole else array.take(pa.array(self._positions))

    def _indexed_at(self) -> pa.Array:
        """When it was fetched, but null where `created_at` is not later: there readers take `created_at`."""
        fetched = np.array([run.source.fetched_at_micros for run in self._pending.runs], dtype=np.int64)
        fetched_at = pa.array(fetched[self._pending.run_of[self._positions]])
        created_at = self._columns.get("created_at")
        if created_at is None:
            return _timestamps(fetched_at)
        is_by_rule = pc.less_equal(created_at.cast(pa.int64()), fetched_at).fill_null(False)
        return _timestamps(pc.if_else(is_by_rule, pa.scalar(None, pa.int64()), fetched_at))


def _timestamps(micros: pa.Array) -> pa.Array:
    return micros.cast(pa.timestamp("us", tz="UTC"))


def plain_type(data_type: pa.DataType) -> pa.DataType:
    """Dictionaries are made last, when all parts are together; times are integers until then."""
    if pa.types.is_dictionary(data_type):
        return data_type.value_type
    return pa.int64() if pa.types.is_timestamp(data_type) else data_type


def _typed(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    return array if array.type == data_type else array.cast(data_type)
