"""Builds what `sql/indexes.sql` declares, several at once, and verifies that all of it stands.

No index is ever dropped but one that is invalid.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, LiteralString, Self, TypeVar, cast

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.duplicates import DuplicateKeysError, Duplicates, find_duplicates
from zeppelin_pipeline.warehouse.queries import load_queries, sql_folder

_STATEMENT: Final = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX IF NOT EXISTS (?P<name>\w+)\s+"
    r"ON (?P<table>\"?\w+\"?) (?P<keys>[^;]*);",
    re.DOTALL,
)
#: How often is told how far the builds are.
WATCH_SECONDS: Final = 2.0
_DEFAULT_MEMORY_BYTES: Final = 256 << 20

_Subject = TypeVar("_Subject")
_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True, slots=True)
class DeclaredIndex:
    """One statement of `sql/indexes.sql`; its keys are column names where it is unique, else expressions too."""

    name: str
    table: str
    is_unique: bool
    keys: tuple[str, ...]
    statement: LiteralString


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """An index that stands.

    Attributes:
        name: its name.
        table: its table's.
        bytes: its size.
        seconds: taken to build it now; None where it stood before.
    """

    name: str
    table: str
    bytes: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far an index is.

    Attributes:
        name: its name.
        phase: what the server does now, in its words.
        done: of this phase, from 0 to 1.
    """

    name: str
    phase: str
    done: float


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """With what indexes are built, by settings of the sessions alone.

    Attributes:
        connections: indexes built at once.
        memory_bytes: for each, its parallel workers included.
        parallel_workers: of the server, that help each at most. Helpers hand their part over by files: an index costs
            a tenth less processor time without them, and indexes side by side keep the processors busy.
    """

    connections: int = 2
    memory_bytes: int = _DEFAULT_MEMORY_BYTES
    parallel_workers: int = 0


DEFAULT_LIMITS: Final = BuildLimits()


def declared_indexes() -> list[DeclaredIndex]:
    """Every index of `sql/indexes.sql`, in its order.

    Raises:
        CorruptStateError: the file holds something else than `CREATE INDEX IF NOT EXISTS` statements.
    """
    text = (sql_folder() / "indexes.sql").read_text(encoding="utf-8")
    text = re.sub(r"--.*$", "", text, flags=re.MULTILINE)
    rest = _STATEMENT.sub("", text).strip()
    if rest:
        raise CorruptStateError(f"indexes.sql: not an index: {rest.splitlines()[0]}")
    return [
        DeclaredIndex(
            match["name"],
            match["table"].strip('"'),
            match["unique"] is not None,
            tuple(key.strip() for key in match["keys"].strip().strip("()").split(",")),
            cast("LiteralString", match[0]),
        )
        for match in _STATEMENT.finditer(text)
    ]


def has_all_indexes(connection: Connection[TupleRow]) -> bool:
    """Whether every declared index stands whole: before that, looking up one account reads whole tables."""
    standing = _standing(connection)
    return all(standing.get(index.name, False) for index in declared_indexes())


def build_indexes(
    connection: Connection[TupleRow],
    *,
    limits: BuildLimits = DEFAULT_LIMITS,
    report: Callable[[BuiltIndex], None] | None = None,
    watch: Callable[[IndexProgress], None] | None = None,
) -> list[BuiltIndex]:
    """Build what is missing, those of the largest tables first, each in a transaction of its own; vacuum their tables.

    What is built stays, whatever becomes of the others. Builders at the same time share the work. One that is killed
    leaves an index missing, or as invalid as it found it: the next one builds it.

    Args:
        connection: in autocommit; those that build are opened like it.
        limits: how many build at once, and with what.
        report: told of each index as it stands.
        watch: told every WATCH_SECONDS how far each is that is being built.

    Returns:
        Every declared index, in the file's order.

    Raises:
        DuplicateKeysError: tables hold keys more than once; all indexes that could be built are.
    """
    declared = declared_indexes()
    sizes = {index.table: _number(connection, "table_bytes", table=index.table) for index in declared}
    largest_first = sorted(declared, key=lambda index: -sizes[index.table])
    built: dict[str, BuiltIndex] = {}
    duplicates: list[Duplicates] = []
    with _Builders(connection, limits) as builders:
        for outcome in builders.run(builders.build, largest_first, watch):
            if isinstance(outcome, Duplicates):
                duplicates.append(outcome)
                continue
            built[outcome.name] = outcome
            if report:
                report(outcome)
        tables = {index.table for index in built.values() if index.seconds is not None}
        for _ in builders.run(builders.vacuum, sorted(tables, key=lambda table: -sizes[table]), None):
            pass
    if duplicates:
        raise DuplicateKeysError(duplicates)
    return [built[index.name] for index in declared]


def _standing(connection: Connection[TupleRow]) -> dict[str, bool]:
    """The indexes that exist, and whether each is whole."""
    return dict(connection.execute(load_queries()["standing_indexes"]).fetchall())


def _number(connection: Connection[TupleRow], query: str, **parameters: str) -> int:
    row = connection.execute(load_queries()[query], parameters).fetchone()
    return int(row[0] or 0) if row else 0


class _Builders:
    """Threads with a connection each, which the server stops working for when we are gone."""

    def __init__(self, connection: Connection[TupleRow], limits: BuildLimits) -> None:
        self._watcher = connection
        self._limits = limits
        self._own = threading.local()
        self._opened: list[Connection[TupleRow]] = []
        self._building: dict[int, str] = {}
        self._pool = ThreadPoolExecutor(limits.connections, "index", initializer=self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """On the way out of an error too: what is being built is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for connection in list(self._opened):
            connection.cancel_safe()
        self._pool.shutdown()
        for connection in self._opened:
            connection.close()

    def run(
        self,
        task: "Callable[[_Subject], _Outcome]",
        subjects: "Iterable[_Subject]",
        watch: Callable[[IndexProgress], None] | None,
    ) -> "Iterable[_Outcome]":
        """Each subject's outcome, in the caller's thread, as they come."""
        pending: set[Future[_Outcome]] = {self._pool.submit(task, subject) for subject in subjects}
        while pending:
            done, pending = wait(pending, timeout=WATCH_SECONDS, return_when=FIRST_COMPLETED)
            if watch and not done:
                for pid, phase, share in self._watcher.execute(load_queries()["index_progress"]).fetchall():
                    if pid in self._building:
                        watch(IndexProgress(self._building[pid], phase, share))
            for future in done:
                yield future.result()

    def build(self, index: DeclaredIndex) -> BuiltIndex | Duplicates:
        """The index stands then, or what prevents it is told."""
        connection = self._own.connection
        self._building[connection.info.backend_pid] = index.name
        connection.execute(load_queries()["lock_index"], {"index": index.name})
        try:
            seconds = _build(connection, index)
        except psycopg.errors.UniqueViolation:
            return find_duplicates(connection, index.name, index.table, index.keys)
        finally:
            connection.execute(load_queries()["unlock_index"], {"index": index.name})
        return BuiltIndex(index.name, index.table, _number(connection, "index_bytes", index=index.name), seconds)

    def vacuum(self, table: str) -> None:
        """Statistics, and pages known as visible and frozen, which index-only scans and later vacuums skip."""
        self._own.connection.execute(sql.SQL("VACUUM (FREEZE, ANALYZE) {}").format(sql.Identifier(table)))

    def _open(self) -> None:
        info = self._watcher.info
        connection = psycopg.connect(info.dsn, password=info.password, autocommit=True)
        for setting, value in (
            ("maintenance_work_mem", f"{self._limits.memory_bytes >> 10}kB"),
            ("max_parallel_maintenance_workers", str(self._limits.parallel_workers)),
            ("client_connection_check_interval", "1s"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
        self._opened.append(connection)
        self._own.connection = connection


def _build(connection: Connection[TupleRow], index: DeclaredIndex) -> float | None:
    """Seconds taken; None where it stood."""
    is_whole = _standing(connection).get(index.name)
    if is_whole:
        return None
    started = time.monotonic()
    if is_whole is False:  # left so by a build that was cut off
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index.name)))
    connection.execute(index.statement)
    return time.monotonic() - started
