"""Arrow arrays as the parameters of statements that `unnest` them: encoded at once, no Python object for an element."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg.abc import DumperKey
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

#: Arrays' types by those of their elements (`pg_type.oid`, which never change).
_ARRAY_OIDS: Final[dict[pa.DataType, int]] = {
    pa.int64(): 1016,
    pa.binary(): 1001,
    pa.string(): 1009,
    pa.bool_(): 1000,
}
_COUNT_BYTES: Final = 2
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ArrayParameter:
    """An array in Postgres's binary form, and its type."""

    data: bytes
    oid: int


class _ArrayDumper(Dumper):
    """Hands the encoded bytes on, under the type of the one at hand."""

    format = Format.BINARY

    def get_key(self, obj: ArrayParameter, format: PyFormat) -> DumperKey:  # noqa: A002 - named by psycopg
        del format
        return (ArrayParameter, obj.oid)  # type: ignore[return-value]  # any hashable serves as a key

    def upgrade(self, obj: ArrayParameter, format: PyFormat) -> "_ArrayDumper":  # noqa: A002 - named by psycopg
        del format
        dumper = _ArrayDumper(ArrayParameter)
        dumper.oid = obj.oid
        return dumper

    def dump(self, obj: ArrayParameter) -> bytes:
        return obj.data


psycopg.adapters.register_dumper(ArrayParameter, _ArrayDumper)


def array_parameters(columns: Mapping[str, pa.Array]) -> dict[str, ArrayParameter]:
    """Each array as a parameter of its name; of int64, binary, string or bool."""
    lists = [_one_list(column) for column in columns.values()]
    batch = pa.RecordBatch.from_arrays(lists, names=list(columns))
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    encoder.write_header()
    row = memoryview(encoder.write_batch(batch) + encoder.finish())  # it may keep what is little until the end
    at = _COUNT_BYTES
    parameters: dict[str, ArrayParameter] = {}
    for name, column in columns.items():
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(row[at:start], "big")
        parameters[name] = ArrayParameter(bytes(row[start:at]), _ARRAY_OIDS[column.type])
    return parameters


def _one_list(column: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
