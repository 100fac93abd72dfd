"""The pool of connections to the warehouse, and the session in which one request reads; no query text, no rows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from zeppelin_api.errors import unavailable
from zeppelin_api.labelers import Labelers
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

#: How long the pool tries to connect before it starts anew; its pauses double until then, so that this bounds them too.
_RECONNECT_SECONDS: Final = 8.0
_CONFIGURE: Final = """
    SELECT set_config('timezone', 'UTC', false), set_config('default_transaction_read_only', 'on', false),
        set_config('application_name', 'zeppelin-api', false), set_config('jit', 'off', false),
        set_config('statement_timeout', %s, false)
"""

#: Whose best index depends on a parameter: a plan that is made once for all its values could use none.
_PLANNED_ANEW: Final = frozenset(
    {"get_likes", "get_reposters", "search_latest_posts", "search_top_posts", "search_names"}
)

RowT = TypeVar("RowT")


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

    connection: AsyncConnection[Any]
    keys: KeySpace
    accepts_pending_handles: bool = False
    verifiers: tuple[str, ...] = ()
    labelers: Labelers = field(default_factory=Labelers)

    async def rows(self, row_type: type[RowT], query: str, /, **parameters: Any) -> list[RowT]:
        """All rows of a named query.

        Args:
            row_type: a dataclass with a field for each column of the query.
            query: its name in `sql/queries/`.
            parameters: the query's named parameters.
        """
        cursor: AsyncCursor[RowT] = self.connection.cursor(binary=True, row_factory=class_row(row_type))
        await cursor.execute(load_queries()[query], parameters, prepare=False if query in _PLANNED_ANEW else None)
        return await cursor.fetchall()


class Database:
    """The warehouse as the API sees it: perhaps away, perhaps busy, otherwise a pool of read-only connections."""

    def __init__(self, settings: ApiSettings, cursor_factory: type[AsyncCursor[Any]] = AsyncCursor) -> None:
        self._statement_timeout = f"{settings.statement_timeout_seconds * 1000:.0f}"
        self._accepts_pending_handles = settings.accept_pending_handles
        self._verifiers = settings.trusted_verifiers
        self._keys: KeySpace | None = None
        self._pool = AsyncConnectionPool(
            settings.postgres_url,
            kwargs={"autocommit": True, "cursor_factory": cursor_factory},
            configure=self._configure,
            min_size=settings.pool_min_connections,
            max_size=settings.pool_max_connections,
            timeout=settings.pool_timeout_seconds,
            max_waiting=settings.pool_max_waiting,
            reconnect_timeout=_RECONNECT_SECONDS,
            open=False,
            name="zeppelin-api",
        )

    async def __aenter__(self) -> Self:
        """Start to connect, without waiting for it: the API starts before its warehouse and outlives its restarts."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        """A connection for one request.

        Raises:
            psycopg_pool.PoolTimeout: none became free in time.
            psycopg_pool.TooManyRequests: too many requests are waiting for one already.
        """
        async with self._pool.connection() as connection:
            if self._keys is None:
                raise unavailable("The warehouse is not made yet")
            try:
                yield Session(connection, self._keys, self._accepts_pending_handles, self._verifiers)
            finally:
                if connection.broken:
                    self._check = asyncio.create_task(self._pool.check())  # its siblings are most likely dead too

    async def _configure(self, connection: AsyncConnection[Any]) -> None:
        """Make a new connection read-only and bounded in time, and learn the warehouse's keys from it."""
        await connection.execute(_CONFIGURE, (self._statement_timeout,))
        try:
            cursor = await connection.execute("SELECT hash_key FROM warehouse")
            row = await cursor.fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
        self._keys = None if row is None else KeySpace(bytes(row[0]))
