"""All labelers followed, from settings to followers: the same whoever starts it. New ones are found while it runs."""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from zeppelin_pipeline.firehose.cursors import release_stream, set_cursor, take_stream
from zeppelin_pipeline.firehose.resolver import resolver_of
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.identity.store import refresh_identity
from zeppelin_pipeline.labels.follower import FUTURE_CURSOR, FollowLimits, LabelerFollower, LabelWriter
from zeppelin_pipeline.labels.labelers import Labeler, find_labelers
from zeppelin_pipeline.labels.memory import MOST_AT_ONCE, LabelMemory, MemoryLimits
from zeppelin_pipeline.warehouse.connection import connect, read_key_space
from zeppelin_pipeline.warehouse.queries import load_queries

#: Files that a process has open beside its labelers' connections.
_OTHER_FILES: Final = 256


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What following labelers needs to know.

    Attributes:
        postgres_url: of the warehouse.
        plc_url: the directory.
        clients: how hosts are asked; streams are connected to alike.
        limits: of each labeler.
        memory: of all together; as many labelers are followed as have a share in it.
        look_seconds: how often it is asked who is a labeler.
        report_seconds: how often the numbers are told.
        idle_seconds: silence after which a connection is made anew; labelers are often silent.
    """

    postgres_url: str = field(repr=False)
    plc_url: str
    clients: ClientSettings
    limits: FollowLimits = field(default_factory=FollowLimits)
    memory: MemoryLimits = field(default_factory=MemoryLimits)
    look_seconds: float = 5.0
    report_seconds: float = 30.0
    idle_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class LabelReport:
    """The labelers at a moment.

    Attributes:
        followed: by this process.
        failing: of these, those whose stream does not flow, by reason.
        elsewhere: labelers that another process follows.
        written: labels, since the start.
        labels_per_second: of these, since the last report.
        lag_seconds: of the labeler that is furthest behind, as of its last labels; null before any.
        refused: labels, by reason, since the start.
    """

    followed: int
    failing: dict[str, int]
    elsewhere: int
    written: int
    labels_per_second: float
    lag_seconds: float | None
    refused: dict[str, int]


async def follow_labelers(
    settings: LabelSettings,
    until: asyncio.Event,
    report: Callable[[LabelReport], None] | None = None,
    *,
    longest_seconds: float | None = None,
) -> None:
    """Follows every labeler that nobody else follows, until the event is set or the time is over.

    Raises:
        psycopg.Error: the warehouse is lost.
    """
    if longest_seconds is not None:
        asyncio.get_running_loop().call_later(longest_seconds, until.set)
    _allow_files(settings.memory.labelers + _OTHER_FILES)
    with connect(settings.postgres_url, application="zeppelin labels", autocommit=True) as connection:
        writer = LabelWriter(connection, read_key_space(connection))
        async with HostClients(settings.clients) as clients:
            service = _Labelers(settings, writer, resolver_of(clients, settings.plc_url))
            await service.run(until, report)


def _allow_files(wanted: int) -> None:
    """Lets the process have a connection for each labeler, as far as the system allows: the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _Labelers:
    """The followers of one process, by DID."""

    def __init__(self, settings: LabelSettings, writer: LabelWriter, resolver: DidResolver) -> None:
        self._settings = settings
        self._writer = writer
        self._resolver = resolver
        self._running: dict[str, tuple[LabelerFollower, asyncio.Task[None]]] = {}
        self._ended: list[LabelerFollower] = []
        self._asked: set[str] = set()
        self._elsewhere = 0
        self._written = 0
        self._told_written = 0
        self._told_at = asyncio.get_running_loop().time()
        self._refused: dict[str, int] = {}
        clients = settings.clients
        self._memory = LabelMemory(settings.memory)
        self._stream = StreamSettings(
            clients.allow_private,
            clients.user_agent,
            settings.idle_seconds,
            retry=clients.retry,
            receive_bytes=settings.memory.part_bytes,
            most_at_once=MOST_AT_ONCE,
        )

    async def run(self, until: asyncio.Event, report: Callable[[LabelReport], None] | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not until.is_set():
                await self._collect()
                found = await asyncio.to_thread(self._look)
                self._begin(found)
                if report is not None and loop.time() - self._told_at >= self._settings.report_seconds:
                    report(self._report())
                try:
                    await asyncio.wait_for(until.wait(), self._settings.look_seconds)
                except TimeoutError:
                    continue
        finally:
            last = self._report()
            await self._let_go()
        if report is not None:
            report(replace(last, written=self._written, refused=dict(self._refused)))

    async def _let_go(self) -> None:
        for follower, _ in self._running.values():
            follower.stop()
        ended = await asyncio.gather(*(task for _, task in self._running.values()), return_exceptions=True)
        self._raise_first(ended)
        for follower, _ in list(self._running.values()):
            self._forget(follower)

    @staticmethod
    def _raise_first(ended: list[BaseException | None]) -> None:
        for failure in ended:
            if failure is not None:
                raise failure

    async def _collect(self) -> None:
        """Lets go of followers that ended; a labeler that still is one is followed anew."""
        for follower, task in list(self._running.values()):
            if task.done():
                task.result()
                if follower.failure == FUTURE_CURSOR:  # it began anew: so do we, and what is known stays
                    with self._writer.lock:
                        set_cursor(self._writer.connection, follower.held.name, 0)
                self._forget(follower)
                self._ended.append(follower)

    def _look(self) -> dict[str, Labeler]:
        """Who is a labeler now; documents that are lacking are asked for, and failures noted."""
        with self._writer.lock:
            connection, keys = self._writer.connection, self._writer.keys
            found, silent = find_labelers(connection, self._settings.memory.labelers)
            unasked = [did for did in silent if did not in self._asked]
            self._asked.update(unasked)
            refresh_identity(connection, *unasked, keys=keys)
            followers = [*(follower for follower, _ in self._running.values()), *self._ended]
            self._ended.clear()
            connection.execute(
                load_queries()["note_labeler_failures"],
                {
                    "actors": [keys.actor_id(follower.labeler.did) for follower in followers],
                    "failures": [follower.failure for follower in followers],
                },
            )
        return found

    def _begin(self, found: dict[str, Labeler]) -> None:
        for did, (follower, _) in self._running.items():
            if found.get(did) != follower.labeler:
                follower.stop()
        self._elsewhere = 0
        for did, labeler in found.items():
            if did not in self._running:
                self._start(labeler)

    def _start(self, labeler: Labeler) -> None:
        writer = self._writer
        with writer.lock:
            held = take_stream(writer.connection, labeler.stream)
            if held is None:
                self._elsewhere += 1
                return
            parameters = {"actor": writer.keys.actor_id(labeler.did), "did": labeler.did, "url": labeler.url}
            writer.connection.execute(load_queries()["note_labeler"], parameters)
        limits = self._settings.limits
        follower = LabelerFollower(labeler, held, writer, self._resolver, self._stream, limits, self._memory)
        self._running[labeler.did] = follower, asyncio.create_task(follower.run(), name=labeler.did)

    def _forget(self, follower: LabelerFollower) -> None:
        del self._running[follower.labeler.did]
        self._written += follower.written
        for reason, count in follower.refused.items():
            self._refused[reason] = self._refused.get(reason, 0) + count
        with self._writer.lock:
            release_stream(self._writer.connection, follower.held)

    def _report(self) -> LabelReport:
        followers = [follower for follower, _ in self._running.values()]
        failing: dict[str, int] = {}
        refused = dict(self._refused)
        for follower in followers:
            if follower.failure is not None:
                failing[follower.failure] = failing.get(follower.failure, 0) + 1
            for reason, count in follower.refused.items():
                refused[reason] = refused.get(reason, 0) + count
        written = self._written + sum(follower.written for follower in followers)
        now = asyncio.get_running_loop().time()
        labels_per_second = (written - self._told_written) / max(now - self._told_at, 0.001)
        self._told_written, self._told_at = written, now
        lag_seconds = max((each.lag_seconds for each in followers if each.lag_seconds is not None), default=None)
        return LabelReport(len(followers), failing, self._elsewhere, written, labels_per_second, lag_seconds, refused)
