"""Binary COPY of Arrow batches into a table."""

from collections.abc import Iterable

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.columns import column_list


def copy_batches(connection: Connection[TupleRow], table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """COPY batches whose columns are named and typed as the table's; empty ones cost nothing.

    One batch is encoded at a time: memory is bounded by the largest. All batches must share one schema.

    Returns:
        Rows copied.
    """
    with connection.cursor() as cursor:
        source = (batch for batch in batches if batch.num_rows)
        first = next(source, None)
        if first is None:
            return 0
        encoder = ArrowToPostgresBinaryEncoder(first.schema)
        with cursor.copy(_statement(table, first.schema.names)) as copy:
            copy.write(encoder.write_header())
            copy.write(encoder.write_batch(first))
            rows = first.num_rows
            for batch in source:
                copy.write(encoder.write_batch(batch))
                rows += batch.num_rows
            copy.write(encoder.finish())
    return rows


def _statement(table: str, columns: list[str]) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(table), column_list(columns))
