"""The threads that work on whole repositories while the event loop downloads; of large ones, one at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class RepositoryThreads:
    """Runs checks and writes off the event loop.

    A large repository costs a few times its size while it is checked or written (its mapped file, the index of its
    blocks, the page that is compressed): one at a time bounds a fetch's memory, whatever is downloaded at once. Six of
    63 MB fetched together took 805 MB of memory so, and 1,112 MB without.
    """

    def __init__(self, threads: int, large_bytes: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
        self._large_bytes = large_bytes
        self._large = asyncio.Semaphore(1)

    async def run(self, size_bytes: int, call: Callable[[], T]) -> T:
        """Runs a call that works on a repository of that size, and gives what it gives."""
        loop = asyncio.get_running_loop()
        if size_bytes < self._large_bytes:
            return await loop.run_in_executor(self._executor, call)
        async with self._large:
            return await loop.run_in_executor(self._executor, call)

    def close(self) -> None:
        """Waits for the calls that run, and drops those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)
