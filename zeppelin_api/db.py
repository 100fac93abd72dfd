"""The pool of connections to the warehouse, and the session in which one request reads; no query text, no rows."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from operator import itemgetter
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar

import asyncpg
from asyncpg import Pool, Record
from asyncpg.pool import PoolConnectionProxy

from zeppelin_api.errors import unavailable
from zeppelin_api.labelers import NOBODY, Labelers
from zeppelin_api.settings import ApiSettings
from zeppelin_api.statements import LITERALS, statement
from zeppelin_pipeline.warehouse.keys import KeySpace

SERVER_SETTINGS: Final = {
    "timezone": "UTC",
    "default_transaction_read_only": "on",
    "application_name": "zeppelin-api",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",  # plans of several joins take longer to make than to run
}
#: How long requests have to end when the service does.
_GRACE_SECONDS: Final = 5.0
#: After so many requests the connection that is used least goes back to the pool, which ends what is old or idle.
_LENDINGS: Final = 1_000

RowT = TypeVar("RowT")
#: The driver's connection, lent by the pool.
Connection: TypeAlias = PoolConnectionProxy


@dataclass(frozen=True, slots=True)
class Session:
    """One request's reads.

    Attributes:
        connection: to the warehouse, read-only.
        keys: of the warehouse.
        accepts_pending_handles: whether a handle that nobody has looked at yet counts as its account's.
        verifiers: the DIDs of the accounts whose verifications of others are shown.
        labelers: whose labels count.
    """

    connection: Connection
    keys: KeySpace
    accepts_pending_handles: bool = False
    verifiers: tuple[str, ...] = ()
    labelers: Labelers = NOBODY

    async def rows(self, row_type: type[RowT], query: str, /, **parameters: Any) -> list[RowT]:
        """All rows of a named query.

        Args:
            row_type: a dataclass or, where rows are many, a named tuple with a field for each column of the query.
            query: its name in `sql/queries/`.
            parameters: the query's named parameters.
        """
        found = await self.records(query, **parameters)
        return list(map(_maker(row_type, tuple(found[0].keys())), found)) if found else []

    async def records(self, query: str, /, **parameters: Any) -> Sequence[Record]:
        """All rows of a named query as they come, their columns in the query's order."""
        wanted = statement(query, parameters[LITERALS[query]] if query in LITERALS else None)
        values = [parameters[name] for name in wanted.names]
        return await self.connection.fetch(wanted.text, *values)


@cache
def _maker(row_type: type[RowT], columns: tuple[str, ...]) -> Callable[[Record], RowT]:
    """Makes rows of the driver's, whose columns may come in another order than the fields stand in."""
    names = (
        tuple(each.name for each in fields(row_type)) if is_dataclass(row_type) else getattr(row_type, "_fields", ())
    )
    if names == columns:
        return getattr(row_type, "_make", lambda record: row_type(*record))
    places = [columns.index(name) for name in names]
    pick: Callable[[Record], Sequence[Any]] = itemgetter(*places)
    return lambda record: row_type(*pick(record))


class Database:
    """The warehouse as the API sees it: perhaps away, perhaps busy, otherwise a pool of read-only connections."""

    def __init__(self, settings: ApiSettings, connection_class: type[asyncpg.Connection] = asyncpg.Connection) -> None:
        self._settings = settings
        self._connection_class = connection_class
        self._keys: KeySpace | None = None
        self._pool: Pool | None = None
        self._idle: list[Connection] = []
        self._waiting = 0
        self._lent = 0
        self._is_ending = False
        self._sessions = 0
        self._most_sessions = settings.pool_max_connections + settings.pool_max_waiting

    async def __aenter__(self) -> Self:
        """Be ready; connections are made when they are needed: the warehouse may be away now, and again later."""
        timeout = f"{self._settings.statement_timeout_seconds * 1000:.0f}"
        self._pool = await asyncpg.create_pool(
            self._settings.postgres_url,
            min_size=0,
            max_size=self._settings.pool_max_connections,
            init=self._learn_keys,
            reset=_leave_as_it_is,
            timeout=self._settings.pool_timeout_seconds,
            connection_class=self._connection_class,
            server_settings={**SERVER_SETTINGS, "statement_timeout": timeout},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            self._is_ending = True
            while self._idle:
                await self._pool.release(self._idle.pop())
            with suppress(TimeoutError):  # connections that are not given back are cut off then
                async with asyncio.timeout(_GRACE_SECONDS):
                    await self._pool.close()

    def session(self, labelers: Labelers = NOBODY) -> AbstractAsyncContextManager[Session]:
        """A connection for one request, in which those labelers count.

        Raises:
            ApiError: 503, the warehouse is away or not made, or none became free in time, or too many wait already.
        """
        return _Lending(self, labelers)

    async def lend(self, labelers: Labelers) -> Session:
        """What `session` begins with."""
        if self._sessions >= self._most_sessions:
            raise unavailable("The service is busy")
        self._sessions += 1
        connection = None
        try:
            connection = await self._take()
            keys = self._known_keys()
        except BaseException:
            await self.take_back(connection)
            raise
        settings = self._settings
        return Session(connection, keys, settings.accept_pending_handles, settings.trusted_verifiers, labelers)

    async def take_back(self, connection: Connection | None) -> None:
        """What `session` ends with; without a connection when it found none."""
        try:
            if connection is not None:
                await self._give_back(connection)
        finally:
            self._sessions -= 1

    @property
    def _opened(self) -> Pool:
        if self._pool is None:
            raise unavailable("The service is not ready")
        return self._pool

    async def _take(self) -> Connection:
        """A connection, the one that was used last: the pool itself takes as long to lend one as a small query does."""
        while self._idle:
            connection = self._idle.pop()
            if not _has_ended(connection):
                return connection
            await self._opened.release(connection)
        self._waiting += 1
        try:
            return await self._acquire()
        finally:
            self._waiting -= 1

    async def _give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, unless one waits for the pool's, or it is not as it was lent."""
        is_wanted = self._is_ending or self._waiting > 0
        if is_wanted or _has_ended(connection) or connection.is_in_transaction():
            await self._opened.release(connection)
            return
        self._idle.append(connection)
        self._lent += 1
        if self._lent % _LENDINGS == 0:
            await self._opened.release(self._idle.pop(0))

    async def _acquire(self) -> Connection:
        try:
            return await self._opened.acquire(timeout=self._settings.pool_timeout_seconds)
        except TimeoutError as error:
            raise unavailable("The service is busy") from error
        except OSError as error:
            raise unavailable("The service is not ready") from error

    def _known_keys(self) -> KeySpace:
        if self._keys is None:
            raise unavailable("The warehouse is not made yet")
        return self._keys

    async def _learn_keys(self, connection: Connection) -> None:
        """Learn the warehouse's keys from a new connection."""
        try:
            key = await connection.fetchval("SELECT hash_key FROM warehouse")
        except asyncpg.UndefinedTableError:
            key = None
        self._keys = None if key is None else KeySpace(key)


#: Errors that the driver raises itself; the second is none of the first.
_OF_THE_DRIVER: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)


class _Lending:
    """A connection for as long as the context lasts. A class, as a generator would take as long as the lending does."""

    __slots__ = ("_connection", "_database", "_labelers")

    def __init__(self, database: Database, labelers: Labelers) -> None:
        self._database = database
        self._labelers = labelers
        self._connection: Connection | None = None

    async def __aenter__(self) -> Session:
        session = await self._database.lend(self._labelers)
        self._connection = session.connection
        return session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        try:
            if connection is not None and isinstance(error, _OF_THE_DRIVER):
                _tell_lost(connection, error)
        finally:
            await self._database.take_back(connection)


def _tell_lost(connection: Connection, error: BaseException) -> None:
    """Raises ApiError, 503, when the error says that the connection is lost."""
    if isinstance(error, asyncpg.InternalClientError):
        # The server said while nobody asked that it ends: the driver hears it when it asks, and is lost then.
        connection.terminate()
    elif not _has_ended(connection):  # between two queries
        return
    raise unavailable("The service is not ready") from error


def _has_ended(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back when it was lost
        return True


async def _leave_as_it_is(_: Connection) -> None:
    """Nothing that a session does outlives it: to set it back all the same would be a query for each request."""
