"""A PostgreSQL server of the benches' own, and empty databases in it; nothing is measured here."""

import signal
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.stack.embedded_postgres import SERVER_SETTINGS, EmbeddedPostgres
from zeppelin_pipeline.warehouse.migrations import migrate


@contextmanager
def bench_home(kept: Path | None = None) -> Generator[Path]:
    """A folder for a bench's server and files: the one that is given, which stays, or one that is removed at the end.

    It is open to all users: as root the server runs under another account.
    """
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="zeppelin-bench-") as folder:
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)
        yield home


@contextmanager
def temporary_server(
    settings: Mapping[str, str] = SERVER_SETTINGS, kept: Path | None = None
) -> Generator[EmbeddedPostgres]:
    """A server with the settings of the stack, all durability on, stopped at the end, which SIGTERM brings as well.

    Args:
        settings: in the place of those that the stack has by default.
        kept: as of `bench_home`; without it all is removed.
    """
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(128 + signal.SIGTERM))
    with bench_home(kept) as home, EmbeddedPostgres(home / "postgres", settings=settings) as server:
        yield server


@contextmanager
def empty_database(server: EmbeddedPostgres) -> Generator[str]:
    """The URL of a database with nothing in it, dropped at the end; earlier writes are flushed already."""
    name = f"bench_{uuid4().hex}"
    url = server.create_database(name)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        yield url
    finally:
        server.drop_database(name)


@contextmanager
def empty_warehouse(server: EmbeddedPostgres) -> Generator[Connection[TupleRow]]:
    """A connection in autocommit to a migrated database, dropped at the end; earlier writes are flushed already."""
    with empty_database(server) as url:
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            yield connection
