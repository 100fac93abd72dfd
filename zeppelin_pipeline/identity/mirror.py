"""The mirror of the PLC directory, asked for documents: it answers while it is fresh, for the logs that it verified."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.plc import decode_operation, did_document
from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.identity.documents import read_document
from zeppelin_pipeline.identity.resolver import ResolvedDid
from zeppelin_pipeline.warehouse.connection import CONNECT_TIMEOUT_SECONDS, connect, read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

_LOOK_SECONDS: Final = 5.0
#: Of one account at one moment there is one, or two where its operations were taken back.
_MOST_FORMER_KEYS: Final = 8


class PlcMirror:
    """Answers from the warehouse; null sends the caller to the directory."""

    def __init__(self, connection: AsyncConnection[TupleRow], keys: KeySpace, fresh_for: timedelta) -> None:
        """Sets where to look.

        Args:
            connection: in autocommit; may be asked by many tasks, one after the other.
            keys: of the warehouse.
            fresh_for: for how long after the end of the export was seen the mirror answers.
        """
        self._connection = connection
        self._keys = keys
        self._fresh_for = fresh_for
        self._looked_at = 0.0
        self._as_of: datetime | None = None
        self._is_lost = False

    async def resolve(self, did: str, since: datetime | None) -> ResolvedDid | None:
        """The document, and the former keys of the time `since`, when the mirror is fresh and no older than that.

        Raises:
            UpstreamError: `did-gone`, the account was given up.
        """
        try:
            if self._is_lost or not await self._is_fresh(since):
                return None
            actor = self._keys.actor_id(did)
            cursor = await self._connection.execute(load_queries()["mirrored_operation"], {"actor": actor})
            row = await cursor.fetchone()
            former_keys = () if row is None or since is None else await self._former_keys(actor, since)
        except psycopg.OperationalError:
            self._is_lost = True  # the warehouse went away: the directory knows as well
            return None
        if row is None:
            return None
        data = decode_operation(bytes(row[0])).data
        if data is None:
            raise UpstreamError("did-gone", f"{did}: given up", is_transient=False)
        document = did_document(did, data)
        return ResolvedDid(read_document(document, did), orjson.dumps(document).decode(), former_keys)

    async def _former_keys(self, actor: int, since: datetime) -> tuple[str, ...]:
        asked = {"actor": actor, "since": since, "limit": _MOST_FORMER_KEYS}
        cursor = await self._connection.execute(load_queries()["former_keys_of_time"], asked)
        return tuple(key.removeprefix("did:key:") for (key,) in await cursor.fetchall())

    async def _is_fresh(self, since: datetime | None) -> bool:
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            cursor = await self._connection.execute(load_queries()["plc_caught_up"])
            row = await cursor.fetchone()
            self._as_of = None if row is None else row[0]
            self._looked_at = time.monotonic()
        if self._as_of is None or datetime.now(UTC) - self._as_of > self._fresh_for:
            return False
        return since is None or since <= self._as_of


@asynccontextmanager
async def open_mirror(url: str, application: str, fresh_for: timedelta) -> AsyncGenerator[PlcMirror]:
    """The mirror in the warehouse of a URL, on a connection of its own; see `PlcMirror`."""
    with connect(url, application=application) as connection:
        keys = read_key_space(connection)
    async with await AsyncConnection.connect(
        url, application_name=application, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    ) as connection:
        yield PlcMirror(connection, keys, fresh_for)
