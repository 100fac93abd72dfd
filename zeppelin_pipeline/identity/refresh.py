"""Accounts resolved anew from the queue that `store.refresh_identity` fills: asked of the network, stored, taken off.

The directory itself is asked, not its mirror: an event came because something has just changed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.pauses import pause_after
from zeppelin_pipeline.warehouse.queries import load_queries

GONE: Final = "did-gone"
_AT_ONCE: Final = 20
_BATCH: Final = 500
_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(hours=6)
#: Who could not be asked so often, over ten days, is asked no more until an event tells of it again.
_MOST_FAILURES: Final = 50


@dataclass(slots=True)
class RefreshResult:
    """What a pass over the queue did; `failed` counts by reason, and those will be tried again."""

    refreshed: int = 0
    gone: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    did: str
    requested_at: datetime
    failures: int
    known: KnownIdentity | None = None
    failure: str | None = None
    is_transient: bool = False


async def refresh_due(
    connection: Connection[TupleRow],
    resolver: DidResolver,
    *,
    most: int = 10_000,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RefreshResult:
    """Resolves the accounts that are due, and stores what their documents say.

    An account whose document is refused (another DID's, no document) keeps the one that is held. One whose directory
    or host does not answer is tried again, later each time, and given up after some days.

    Args:
        connection: in autocommit.
        resolver: that asks the network.
        most: accounts in this pass.
        now: the clock that documents are stamped with, before they are asked for.
    """
    keys = read_key_space(connection)
    result = RefreshResult()
    while (done := result.refreshed + result.gone + result.refused.total() + result.failed.total()) < most:
        parameters = {"limit": min(_BATCH, most - done)}
        rows = connection.execute(load_queries()["due_refreshes"], parameters).fetchall()
        if not rows:
            break
        gate = asyncio.Semaphore(_AT_ONCE)
        asked = await asyncio.gather(*(_ask(_Asked(*row), resolver, gate, now) for row in rows))
        _store(connection, asked, keys)
        _count(asked, result)
    row = connection.execute(load_queries()["count_refreshes"]).fetchone()
    result.waiting = 0 if row is None else row[0]
    return result


async def _ask(wanted: _Asked, resolver: DidResolver, gate: asyncio.Semaphore, now: Callable[[], datetime]) -> _Asked:
    async with gate:
        asked_at = now()
        did, requested_at, failures = wanted.did, wanted.requested_at, wanted.failures
        try:
            document = (await resolver.resolve(did)).document
        except UpstreamError as error:
            if error.reason == GONE:
                return _Asked(did, requested_at, failures, KnownIdentity(DidDocument(did), asked_at), GONE)
            return _Asked(did, requested_at, failures, failure=error.reason, is_transient=failures < _MOST_FAILURES)
        except InvalidDataError as error:
            return _Asked(did, requested_at, failures, failure=error.reason)
        return _Asked(did, requested_at, failures, KnownIdentity(document, asked_at))


def _store(connection: Connection[TupleRow], asked: Sequence[_Asked], keys: KeySpace) -> None:
    ended = [each for each in asked if not each.is_transient]
    waiting = [each for each in asked if each.is_transient]
    with connection.transaction():
        store_identities(connection, [each.known for each in ended if each.known], keys, is_recheck=True)
        connection.execute(
            load_queries()["end_refreshes"],
            {
                "actors": [keys.actor_id(each.did) for each in ended],
                "requested_at": [each.requested_at for each in ended],
            },
        )
        connection.execute(
            load_queries()["postpone_refreshes"],
            {
                "actors": [keys.actor_id(each.did) for each in waiting],
                "pauses": [pause_after(each.failures, _FIRST_PAUSE, _LONGEST_PAUSE) for each in waiting],
            },
        )


def _count(asked: Sequence[_Asked], result: RefreshResult) -> None:
    for each in asked:
        if each.failure == GONE:
            result.gone += 1
        elif each.failure is None:
            result.refreshed += 1
        elif each.is_transient:
            result.failed[each.failure] += 1
        else:
            result.refused[each.failure] += 1
