"""How the pipeline connects to the warehouse, and how it learns the warehouse's key space."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import ConfigurationError, CorruptStateError
from zeppelin_pipeline.warehouse.keys import KeySpace

CONNECT_TIMEOUT_SECONDS = 10


@contextmanager
def connect(
    url: str, *, application: str = "zeppelin", autocommit: bool = False
) -> Generator[Connection[TupleRow], None, None]:
    """One connection, committed on a clean exit and rolled back on an error.

    Raises:
        ConfigurationError: the server cannot be reached, or refuses us.
    """
    try:
        connection = psycopg.connect(
            url, application_name=application, autocommit=autocommit, connect_timeout=CONNECT_TIMEOUT_SECONDS
        )
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:  # no answer, or no URL of Postgres
        raise ConfigurationError(f"no connection to the warehouse: {str(error).strip()}") from error
    with connection:
        yield connection


def read_key_space(connection: Connection[TupleRow]) -> KeySpace:
    """The warehouse's key space, from its one row.

    Raises:
        CorruptStateError: the database is not a migrated warehouse.
    """
    try:
        row = connection.execute("SELECT hash_key FROM warehouse").fetchone()
    except psycopg.errors.UndefinedTable as error:
        raise CorruptStateError("this database is not a warehouse yet: run `zeppelin migrate`") from error
    if row is None:
        raise CorruptStateError("the table warehouse has no row: its hash key is lost")
    return KeySpace(bytes(row[0]))
