"""What goes on beside a consumer, as long as it runs: repositories fetched again, gaps repaired.

Each goes on by itself, on a connection of its own: a relay's list takes hours, silent hosts take half an hour.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.firehose.cursors import StreamName
from zeppelin_pipeline.firehose.reconcile import repair_gaps
from zeppelin_pipeline.firehose.resync import LANES, Lane, ResyncResult, resync_round
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.identity.resolver import DidResolver

_LOG: Final = logging.getLogger(__name__)
_IDLE_SECONDS: Final = 1.0
_GAP_SECONDS: Final = 5.0
#: A relay that does not list is asked again after this.
_PAUSE_SECONDS: Final = 60.0
#: Repositories of a round: few at first, so that one that is soon ended has settled some, and twice as many each time.
_FIRST_ROUND: Final = 4
_LARGEST_ROUND: Final = 64


class Upkeep:
    """The upkeep of one stream; cancel `run` to end it.

    Attributes:
        resynced: repositories settled so far.
        removed: accounts whose rows are gone.
        repaired: gaps.
    """

    def __init__(
        self,
        open_connection: Callable[[], AbstractContextManager[Connection[TupleRow]]],
        clients: HostClients,
        resolver: DidResolver,
        mirrored: DidResolver,
        name: StreamName,
        is_allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        """Sets what to work with.

        Args:
            open_connection: to the warehouse, in autocommit.
            clients: of all hosts.
            resolver: of accounts, by the directory.
            mirrored: of accounts, by its mirror where that is fresh.
            name: the stream.
            is_allowed: asked before each round: repositories are not fetched one by one while a bulk load goes on.
        """
        self._open_connection = open_connection
        self._clients = clients
        self._resolver = resolver
        self._mirrored = mirrored
        self._name = name
        self._is_allowed = is_allowed
        self.resynced = 0
        self.removed = 0
        self.repaired = 0

    async def run(self) -> None:
        """Goes on until cancelled; raises what ended one of its tasks."""
        try:
            async with asyncio.TaskGroup() as group:
                for lane in LANES:
                    group.create_task(self._resync(lane))
                group.create_task(self._repair())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _resync(self, lane: Lane) -> None:
        limit = _FIRST_ROUND
        with self._open_connection() as connection:
            while True:
                result = ResyncResult()
                if self._is_allowed():
                    result = await resync_round(
                        connection, self._clients, self._resolver, self._mirrored, lane=lane, limit=limit
                    )
                    limit = min(2 * limit, _LARGEST_ROUND) if result.total else _FIRST_ROUND
                    self.resynced += result.settled
                    self.removed += result.removed
                await asyncio.sleep(0 if result.total else _IDLE_SECONDS)

    async def _repair(self) -> None:
        with self._open_connection() as connection:
            while True:
                pause = _GAP_SECONDS
                if self._is_allowed():
                    try:
                        self.repaired += (await repair_gaps(connection, self._clients, self._name)).gaps
                    except UpstreamError as error:
                        _LOG.warning("%s does not list its repositories, its gaps stay: %s", self._name.relay, error)
                        pause = _PAUSE_SECONDS
                await asyncio.sleep(pause)
