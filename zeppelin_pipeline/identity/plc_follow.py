"""The PLC directory's export taken in page by page, and followed live: kept in the lake, verified, stored.

A window is so many operations in the order in which they came; its pages are numbered. A page is durable in the lake
before its rows and its cursor are committed together: a run that was killed between the two takes the page from the
lake, and asks for none twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.datetimes import micros_of, time_of
from zeppelin_pipeline.errors import CorruptStateError, UpstreamError
from zeppelin_pipeline.identity.plc_export import (
    PAGE_OPERATIONS,
    ExportCursor,
    ExportLine,
    compact_window,
    read_lines,
    read_page,
    write_page,
)
from zeppelin_pipeline.identity.plc_mirror import PageResult, PlcPage, forget_old
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

#: Gets a page of the export, given the parameter `after` (null for the beginning); raises UpstreamError.
GetPage: TypeAlias = Callable[[str | None], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """Bounds of following.

    Attributes:
        window_operations: a window is complete with so many.
        page_seconds: from one request to the next at least.
    """

    window_operations: int = 500_000
    page_seconds: float = 0.6


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the export has been taken in: the open window, its next page, and the cursor."""

    directory: str
    cursor: ExportCursor = field(default_factory=ExportCursor)
    window: int = 0
    page: int = 0
    operations: int = 0
    rejected: int = 0
    caught_up_at: datetime | None = None


@dataclass(slots=True)
class WindowResult:
    """What a call did to a window.

    Attributes:
        window: its number.
        operations: that it holds now.
        rejected: of these, set aside.
        added: operations that this call took in.
        recovered: of these, those that took back others.
        reasons: of those that this call set aside.
        is_complete: whether the next window is open now.
        last_at: time of the last operation; null before the first.
        seconds: that the call took.
        verify_seconds: of these, processor time for reading and verifying.
    """

    window: int
    operations: int = 0
    rejected: int = 0
    added: int = 0
    recovered: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    is_complete: bool = False
    last_at: datetime | None = None
    seconds: float = 0.0
    verify_seconds: float = 0.0


async def follow_window(
    connection: Connection[TupleRow],
    lake: Lake,
    directory: str,
    get_page: GetPage,
    window: int,
    settings: FollowSettings | None = None,
    *,
    report: Callable[[int], None] = lambda _operations: None,
) -> WindowResult:
    """Takes in a window of the export until it is complete or the export has no more for now.

    Args:
        connection: in autocommit; holds the lock of the export for the whole call.
        lake: where pages go.
        directory: the URL that pages come from; another one than before goes on by time, not by number.
        get_page: asks it.
        window: the open one; for an earlier one nothing is done.
        settings: bounds.
        report: called with the operations of the window so far, after each page.

    Raises:
        CorruptStateError: the window before is not complete.
        UpstreamError: the directory does not answer, or gives a whole page of one millisecond.
    """
    started = time.monotonic()
    with _locked(connection):
        progress = read_progress(connection) or Progress(directory)
        if progress.directory != directory:
            progress = replace(progress, directory=directory, cursor=replace(progress.cursor, seq=None))
        if window > progress.window:
            raise CorruptStateError(
                f"window {progress.window} of the export is not complete: window {window} follows it"
            )
        if window < progress.window:
            compact_window(lake, window)
            return WindowResult(window, is_complete=True, seconds=time.monotonic() - started)
        follower = _Follower(connection, lake, get_page, settings or FollowSettings(), progress)
        result = await follower.run(report)
    result.seconds = time.monotonic() - started
    return result


def read_progress(connection: Connection[TupleRow]) -> Progress | None:
    """How far the export has been taken in; null before the first page."""
    row = connection.execute(load_queries()["plc_progress"]).fetchone()
    if row is None:
        return None
    directory, after_time, after_seq, window, page, operations, rejected, caught_up_at = row
    cursor = ExportCursor(None if after_time is None else micros_of(after_time), after_seq)
    return Progress(directory, cursor, window, page, operations, rejected, caught_up_at)


class _Follower:
    """One call's state."""

    def __init__(
        self, connection: Connection[TupleRow], lake: Lake, get_page: GetPage, settings: FollowSettings, start: Progress
    ) -> None:
        self._connection = connection
        self._lake = lake
        self._get_page = get_page
        self._settings = settings
        self._progress = start
        self._keys: KeySpace = read_key_space(connection)
        self._result = WindowResult(start.window)

    async def run(self, report: Callable[[int], None]) -> WindowResult:
        if self._progress.window:
            compact_window(self._lake, self._progress.window - 1)  # a run may have been cut off before it did
        is_at_end = False
        while not is_at_end and self._progress.operations < self._settings.window_operations:
            is_at_end = await self._take_page()
            report(self._progress.operations)
        result, progress = self._result, self._progress
        result.operations, result.rejected = progress.operations, progress.rejected
        if progress.cursor.time_micros is not None:
            result.last_at = time_of(progress.cursor.time_micros)
            forget_old(self._connection, progress.cursor.time_micros)
        if progress.operations >= self._settings.window_operations:
            self._advance(replace(progress, window=progress.window + 1, page=0, operations=0, rejected=0))
            compact_window(self._lake, progress.window)
            result.is_complete = True
        return result

    async def _take_page(self) -> bool:
        """Takes in the next page; whether it was the last for now."""
        progress = self._progress
        kept = read_page(self._lake, progress.window, progress.page)
        if kept is not None:
            self._store(PlcPage(self._connection, self._keys, kept), kept)
            return False
        asked_at = time.monotonic()
        lines = read_lines(await self._get_page(progress.cursor.after()))
        is_last = len(lines) < PAGE_OPERATIONS
        page = PlcPage(self._connection, self._keys, lines)
        fresh = page.fresh(None if progress.cursor.seq is not None else progress.cursor.time_micros)
        if any(line.did for line in fresh):
            write_page(self._lake, progress.window, progress.page, fresh)
            self._store(page, fresh)
        elif not is_last:
            raise UpstreamError("plc-ties", f"a whole page before {progress.cursor}", is_transient=False)
        if is_last:
            self._advance(replace(self._progress, caught_up_at=datetime.now(UTC)))
        else:
            await asyncio.sleep(max(0.0, asked_at + self._settings.page_seconds - time.monotonic()))
        return is_last

    def _store(self, page: PlcPage, lines: list[ExportLine]) -> None:
        started = time.process_time()
        result = page.verify(lines)
        self._result.verify_seconds += time.process_time() - started
        progress = self._progress
        with self._connection.transaction():
            page.write()
            self._advance(
                replace(
                    progress,
                    cursor=progress.cursor.behind(lines),
                    page=progress.page + 1,
                    operations=progress.operations + len(lines),
                    rejected=progress.rejected + len(result.rejected),
                )
            )
        self._count(result, len(lines))

    def _count(self, result: PageResult, lines: int) -> None:
        self._result.added += lines
        self._result.recovered += result.recovered
        self._result.reasons += result.reasons

    def _advance(self, progress: Progress) -> None:
        after = progress.cursor.time_micros
        self._connection.execute(
            load_queries()["plc_advance"],
            {
                "directory": progress.directory,
                "after_time": None if after is None else time_of(after),
                "after_seq": progress.cursor.seq,
                "window": progress.window,
                "page": progress.page,
                "operations": progress.operations,
                "rejected": progress.rejected,
                "caught_up_at": progress.caught_up_at,
            },
        )
        self._progress = progress


@contextmanager
def _locked(connection: Connection[TupleRow]) -> Generator[None]:
    connection.execute(load_queries()["plc_lock"])
    try:
        yield
    finally:
        connection.execute(load_queries()["plc_unlock"])
