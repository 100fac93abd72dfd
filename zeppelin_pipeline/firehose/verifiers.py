"""Frames verified by several processes at once: signatures alone take a third of what an event may cost."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from zeppelin_pipeline.errors import ZeppelinError
from zeppelin_pipeline.firehose.events import EVENTS
from zeppelin_pipeline.firehose.framing import framed, receive, send
from zeppelin_pipeline.firehose.verifier_process import request_of, table_of_answer

_MODULE = "zeppelin_pipeline.firehose.verifier_process"
#: Within so long a process ends with its input, if it is not stuck.
_GRACE_SECONDS: Final = 3.0


class VerifierDiedError(ZeppelinError):
    """A verifying process ended by itself; nothing of what it was given has been applied."""


class Verifiers:
    """The processes; an async `with`. Messages verified at once may be answered in any order, a batch is in its own."""

    def __init__(self, postgres_url: str, processes: int) -> None:
        self._url = postgres_url
        self._count = processes
        self._processes: list[asyncio.subprocess.Process] = []
        self._sockets: list[socket.socket] = []
        self._locks: list[asyncio.Lock] = []

    async def verify(self, frames: Sequence[bytes], now_micros: int, forget: Sequence[str] = ()) -> pa.Table:
        """The events of frames, in their order.

        Args:
            frames: messages of a stream.
            now_micros: the time, which revs must not be far ahead of.
            forget: accounts whose keys have changed.

        Raises:
            VerifierDiedError: a process ended.
        """
        share = max(1, -(-len(frames) // self._count))
        parts = [frames[number * share : (number + 1) * share] for number in range(self._count)]
        asking = [
            asyncio.create_task(self._ask(number, request_of(part, forget, now_micros)))
            for number, part in enumerate(parts)
            if part or forget
        ]
        try:
            tables = await asyncio.gather(*asking)
        finally:
            for task in asking:
                task.cancel()  # when one has failed: nobody may wait at a socket that is closed
        return pa.concat_tables(tables) if tables else EVENTS.empty_table()

    async def _ask(self, number: int, request: list[memoryview]) -> pa.Table:
        async with self._locks[number]:
            return await self._exchange(number, request)

    async def _exchange(self, number: int, request: list[memoryview]) -> pa.Table:
        ours = self._sockets[number]
        try:
            await send(ours, request)
            return table_of_answer(await receive(ours))
        except (OSError, EOFError) as error:
            raise VerifierDiedError(f"verifier {number} (pid {self._processes[number].pid}) ended") from error

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            self._sockets.append(ours)
            self._locks.append(asyncio.Lock())
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _MODULE, stdin=theirs.fileno(), stdout=theirs.fileno()
            )
            self._processes.append(process)

    async def __aenter__(self) -> Self:
        greeting = framed(memoryview(self._url.encode()))
        try:
            for _ in range(self._count):
                await self._start()
            await asyncio.gather(*(self._exchange(number, greeting) for number in range(self._count)))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        """Lets the processes end; kills one that still writes an answer which nobody reads any more."""
        for ours in self._sockets:
            ours.close()
        waiting = [asyncio.create_task(process.wait()) for process in self._processes]
        if waiting:
            await asyncio.wait(waiting, timeout=_GRACE_SECONDS)
        for process in self._processes:
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*waiting)
