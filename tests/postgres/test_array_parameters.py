"""Arrow arrays as parameters: what the server reads of them is what they hold."""

from collections.abc import Sequence

import psycopg
import pyarrow as pa

from zeppelin_pipeline.warehouse.array_parameters import array_parameters

QUERY = "SELECT * FROM unnest(%(n)s::bigint[], %(b)s::bytea[], %(t)s::text[], %(f)s::boolean[]) AS u (n, b, t, f)"


def columns(rows: Sequence[tuple[object, ...]]) -> dict[str, pa.Array]:
    names = {"n": pa.int64(), "b": pa.binary(), "t": pa.string(), "f": pa.bool_()}
    parts = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: pa.array(part, kind) for part, (name, kind) in zip(parts, names.items(), strict=True)}


def test_arrays_of_every_type_are_read_as_they_are(connection: psycopg.Connection):
    rows = [(1, b"\0\\x", "a,b {\u00fc}", True), (-(1 << 63), None, None, None), (None, b"", "", False)]
    for binary in (False, True):
        assert connection.execute(QUERY, array_parameters(columns(rows)), binary=binary).fetchall() == rows


def test_a_slice_and_an_empty_array_are_read_as_they_are(connection: psycopg.Connection):
    rows: list[tuple[object, ...]] = [(number, b"%d" % number, str(number), None) for number in range(3_000)]
    sliced = {name: column.slice(1_000, 1_500) for name, column in columns(rows).items()}
    assert connection.execute(QUERY, array_parameters(sliced)).fetchall() == rows[1_000:2_500]
    assert connection.execute(QUERY, array_parameters(columns([]))).fetchall() == []
