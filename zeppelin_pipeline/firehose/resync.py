"""Repositories fetched again one by one: what live events left open is made whole from their hosts.

A round takes some that are due, fetches them as a backfill would (host limits, every outcome with its type, every block
and signature checked), and merges what came with the rows that are held: creations, updates and deletions. What cannot
be settled waits longer each time, and is asked for apart from what has not failed yet. What is settled is charged to
the account: who always needs a fetch again has credit for some, and then waits.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.firehose.application import ACCOUNT_DELETED
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.fetch import RowsFetch
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.load import read_batches
from zeppelin_pipeline.repos.manifests import ManifestRow
from zeppelin_pipeline.repos.named_host import named_host
from zeppelin_pipeline.repos.pack import part_identities
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.load import load_repositories
from zeppelin_pipeline.warehouse.operations import lock_repositories
from zeppelin_pipeline.warehouse.pauses import pause_after
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.standing import ACTIVE, delete_accounts

_FIRST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(hours=6)
#: An account is charged for a fetch and each of its records; its credit is sixty fetches of small repositories, which
#: come back in two hours. So a hostile one of 100,000 records has us fetch it 77 times a day, one of a million 9 times.
_CREDIT: Final = timedelta(hours=2)
_FETCH_CHARGE: Final = timedelta(minutes=2)
_RECORD_CHARGE: Final = timedelta(milliseconds=10)
_RESOLUTIONS_AT_ONCE: Final = 20
#: Within a round's own lake, which lives as long as the round.
_SHARD: Final = "live~00000"
_NOT_FETCHED: Final = "not-fetched"
_QUEUED_ANEW: Final = "queued-anew"
_SETTLED_STATES: Final = frozenset({"synchronized", "absent"})


@dataclass(frozen=True, slots=True)
class Lane:
    """Which repositories are taken, so that hosts that are slow or parked hold up none that has just been queued.

    Attributes:
        has_failed: those that could not be had before, or the others.
        seconds: for the fetches of a round; whoever has not been had by then has failed.
    """

    has_failed: bool
    seconds: float


#: Most repositories take a second. The longest of a download and its attempts is that of `FetchSettings`, about.
LANES: Final = (Lane(has_failed=False, seconds=20.0), Lane(has_failed=True, seconds=1_800.0))


@dataclass(frozen=True, slots=True)
class ResyncResult:
    """What a round did: repositories settled, removed, and left with the reason."""

    settled: int = 0
    removed: int = 0
    left: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        """Repositories that were due."""
        return self.settled + self.removed + self.left.total()


@dataclass(frozen=True, slots=True)
class _Due:
    actor: int
    did: str
    queued_at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class _Held:
    """A repository after the fetch: why it waits by now, and what is held of it; null where nothing is known."""

    reason: str
    state: str | None
    status: str | None
    failure: str | None
    fetched_at: datetime | None


async def resync_round(
    connection: Connection[TupleRow],
    clients: HostClients,
    resolver: DidResolver,
    mirrored: DidResolver,
    *,
    lane: Lane,
    limit: int,
    settings: FetchSettings | None = None,
) -> ResyncResult:
    """Settles some of the repositories that are due; at once when there are none.

    They are locked by the session: whoever fails or is killed leaves them to the next with it.

    Args:
        connection: in autocommit; not that of a consumer.
        clients: of all hosts, with their limits.
        resolver: tells where accounts are now; a mirror may not know yet of one that has just moved.
        mirrored: tells the keys that may have signed what was fetched.
        lane: which repositories.
        limit: repositories in this round.
        settings: limits of the fetches.
    """
    wanted = {"has_failed": lane.has_failed, "limit": limit}
    due = [_Due(*row) for row in connection.execute(load_queries()["claim_resyncs"], wanted)]
    if not due:
        return ResyncResult()
    manifest, unplaced = await _placed(due, resolver)
    began_at = datetime.now(UTC)
    if manifest:
        fetches = settings or FetchSettings(max_in_flight=limit)
        await _refetch(connection, clients, mirrored, manifest, fetches, lane.seconds)
    result = await asyncio.to_thread(_settle, connection, due, unplaced, began_at)
    connection.execute(load_queries()["release_resyncs"], {"actors": [each.actor for each in due]})
    return result


async def _placed(due: Sequence[_Due], resolver: DidResolver) -> tuple[list[ManifestRow], dict[int, str]]:
    """Where each account's document says that it is; and of those of which nobody can tell, the reason."""
    gate = asyncio.Semaphore(_RESOLUTIONS_AT_ONCE)
    placed: list[ManifestRow] = []
    unplaced: dict[int, str] = {}

    async def place(each: _Due) -> None:
        async with gate:
            try:
                host = await named_host(resolver, each.did)
                if host is None:
                    unplaced[each.actor] = "did-no-pds"
                else:
                    placed.append(ManifestRow(each.did, host, None, True, None))
            except (UpstreamError, InvalidDataError) as error:
                unplaced[each.actor] = error.reason

    async with asyncio.TaskGroup() as group:
        for each in due:
            group.create_task(place(each))
    return placed, unplaced


async def _refetch(
    connection: Connection[TupleRow],
    clients: HostClients,
    resolver: DidResolver,
    manifest: list[ManifestRow],
    settings: FetchSettings,
    seconds: float,
) -> None:
    with tempfile.TemporaryDirectory(prefix="zeppelin-resync-") as folder:
        lake = Lake(folder)
        async with clients.passing_clients() as asked:  # anybody can name another host, a thousand a day
            fetch = RowsFetch(lake, _SHARD, asked, resolver, settings, lambda *_: None, partial(datetime.now, UTC))
            with suppress(TimeoutError):  # what was had is merged
                async with asyncio.timeout(seconds):
                    await fetch.run(manifest, repos=len(manifest))
        if part_identities(lake, _SHARD):
            await asyncio.to_thread(_merge, connection, lake)


def _merge(connection: Connection[TupleRow], lake: Lake) -> None:
    extract_shard(lake, _SHARD)
    load_repositories(connection, read_batches(lake, _SHARD))


def _settle(
    connection: Connection[TupleRow], due: Sequence[_Due], unplaced: dict[int, str], began_at: datetime
) -> ResyncResult:
    """Takes off the queue what is settled; an account that is gone loses its rows.

    No batch writes to these repositories meanwhile: what one has told of them is known here, or is queued afterwards.
    Who queues without that (a gap's comparison, a refused commit) queues anew, and what was queued anew stays.
    """
    keys = read_key_space(connection)
    with connection.transaction():
        lock_repositories(connection, keys, [each.did for each in due])
        rows = connection.execute(load_queries()["resynced_states"], {"actors": [each.actor for each in due]})
        held = {actor: _Held(*row) for actor, *row in rows}
        due = [each for each in due if each.actor in held]  # a person may have taken some off
        gone = [each for each in due if _is_gone(held[each.actor], unplaced.get(each.actor), began_at)]
        left = {each: _why_left(each, held[each.actor], unplaced.get(each.actor)) for each in due if each not in gone}
        settled = [each for each, why in left.items() if why is None]
        if gone:
            delete_accounts(connection, keys, [each.did for each in gone], datetime.now(UTC))
        ended = _end(connection, [*settled, *gone])
        waiting = {each: why or _QUEUED_ANEW for each, why in left.items() if each.actor not in ended}
        _postpone(connection, waiting)
    return ResyncResult(len(left) - len(waiting), len(gone), Counter(waiting.values()))


def _is_gone(held: _Held, unplaced: str | None, began_at: datetime) -> bool:
    """Whether an account is no more.

    Only one that is said to be deleted still goes once its host denies it: hosts lose what they should have.
    """
    is_denied = held.failure == "not-found" and held.fetched_at is not None and held.fetched_at >= began_at
    return unplaced == "did-gone" or (is_denied and unplaced is None and held.reason == ACCOUNT_DELETED)


def _why_left(each: _Due, held: _Held, unplaced: str | None) -> str | None:
    """Why a repository is to be fetched again; null when it is settled, by whomever.

    What is held from before says nothing of what came since. An account that is not shown is asked for again when it is
    said to be active.
    """
    if unplaced is not None:
        return unplaced
    is_seen = held.fetched_at is not None and held.fetched_at >= each.queued_at
    is_answered = held.state in _SETTLED_STATES or (held.state != "failed" and held.status not in {None, ACTIVE})
    if is_seen and is_answered:
        return None
    return held.failure or (_NOT_FETCHED if held.state is None or held.state in _SETTLED_STATES else held.state)


def _end(connection: Connection[TupleRow], due: Sequence[_Due]) -> set[int]:
    """Takes repositories off the queue that were not queued anew, and charges for them; gives which."""
    parameters = {"actors": [each.actor for each in due], "queued_ats": [each.queued_at for each in due]}
    ended = {actor for (actor,) in connection.execute(load_queries()["end_resyncs"], parameters)}
    charges = {"credit": _CREDIT, "fetch": _FETCH_CHARGE, "record": _RECORD_CHARGE}
    connection.execute(load_queries()["charge_resyncs"], {"actors": list(ended), **charges})
    return ended


def _postpone(connection: Connection[TupleRow], left: dict[_Due, str]) -> None:
    if left:
        connection.execute(
            load_queries()["postpone_resyncs"],
            {
                "actors": [each.actor for each in left],
                "failures": list(left.values()),
                "pauses": [pause_after(each.failures, _FIRST_PAUSE, _LONGEST_PAUSE) for each in left],
            },
        )
