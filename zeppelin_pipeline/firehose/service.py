"""A relay followed, from settings to consumer: the same whoever starts it, a command or an orchestrator's run."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.firehose.consumer import Consumer, ConsumerSettings
from zeppelin_pipeline.firehose.cursors import HeldStream, StreamName, release_stream, take_stream
from zeppelin_pipeline.firehose.rates import Rates
from zeppelin_pipeline.firehose.resolver import resolver_of
from zeppelin_pipeline.firehose.spool import Spool, SpoolLimits
from zeppelin_pipeline.firehose.stream import ENDPOINT
from zeppelin_pipeline.firehose.upkeep import Upkeep
from zeppelin_pipeline.firehose.verifiers import Verifiers
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.identity.mirror import open_mirror
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.warehouse.connection import connect

_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class FirehoseSettings:
    """What a consumer needs to know.

    Attributes:
        postgres_url: of the warehouse.
        lake: where events wait for the indexes.
        relay: URL.
        plc_url: the directory that is asked for accounts that the warehouse does not know.
        plc_fresh_for: for how long after its export's end was seen the mirror of it answers, for repositories fetched.
        clients: how hosts are asked.
        verifiers: processes that verify.
        consumer: bounds.
        spool: bounds of the waiting events.
    """

    postgres_url: str = field(repr=False)
    lake: Lake
    relay: str
    plc_url: str
    clients: ClientSettings
    plc_fresh_for: timedelta = timedelta(minutes=5)
    verifiers: int = 2
    consumer: ConsumerSettings = field(default_factory=ConsumerSettings)
    spool: SpoolLimits = field(default_factory=SpoolLimits)

    @property
    def stream(self) -> StreamName:
        """The name of the relay's stream."""
        return StreamName(self.relay, ENDPOINT)


async def follow(
    settings: FirehoseSettings,
    until: asyncio.Event,
    report: Callable[[Rates], None] | None = None,
    *,
    patience_seconds: float = 0.0,
    longest_seconds: float | None = None,
) -> bool:
    """Consumes a relay's stream until the event is set.

    Args:
        settings: of the consumer.
        until: when to end.
        report: told the numbers.
        patience_seconds: how long to stand by, with everything started, for another consumer to end: so that it hands
            over within a moment.
        longest_seconds: after having taken the stream, it ends by itself; None for never.

    Returns:
        False when another process still consumes it then.

    Raises:
        ZeppelinError: what ended it: `FutureCursorError`, `FencedError`, `VerifierDiedError`, or an address that must
            not be connected to.
    """
    async with AsyncExitStack() as stack:
        connection = stack.enter_context(
            connect(settings.postgres_url, application="zeppelin firehose", autocommit=True)
        )
        clients = await stack.enter_async_context(HostClients(settings.clients))
        verifiers = await stack.enter_async_context(Verifiers(settings.postgres_url, settings.verifiers))
        held = await _take(connection, settings.stream, until, patience_seconds)
        if held is None:
            return False
        stack.callback(release_stream, connection, held)
        if longest_seconds is not None:
            asyncio.get_running_loop().call_later(longest_seconds, until.set)
        resolver = resolver_of(clients, settings.plc_url)
        spool = Spool(settings.lake, settings.spool)
        consumer = Consumer(connection, held, verifiers, resolver, spool, settings.consumer, report)
        beside = partial(connect, settings.postgres_url, application="zeppelin resync", autocommit=True)
        mirror = await stack.enter_async_context(
            open_mirror(settings.postgres_url, "zeppelin resync", settings.plc_fresh_for)
        )
        mirrored = resolver_of(clients, settings.plc_url, mirror)
        upkeep = Upkeep(beside, clients, resolver, mirrored, settings.stream, lambda: spool.is_drained)
        await _run_beside(consumer.run(until), upkeep.run())
    return True


async def _take(
    connection: Connection[TupleRow], name: StreamName, until: asyncio.Event, patience_seconds: float
) -> HeldStream | None:
    closes_at = asyncio.get_running_loop().time() + patience_seconds
    while (held := take_stream(connection, name)) is None:
        if asyncio.get_running_loop().time() >= closes_at or until.is_set():
            return None
        await asyncio.sleep(_LOOK_SECONDS)
    return held


async def _run_beside(main: Coroutine[Any, Any, None], side: Coroutine[Any, Any, None]) -> None:
    """Runs both until the main one ends; a failure of either ends both, and is raised."""
    consuming, keeping = asyncio.create_task(main), asyncio.create_task(side)
    try:
        await asyncio.wait({consuming, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            await keeping
        await consuming
    finally:
        consuming.cancel()
        keeping.cancel()
        await asyncio.gather(consuming, keeping, return_exceptions=True)
