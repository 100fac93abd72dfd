"""The programs of one stack together: started in order, watched, stopped in reverse, none left behind.

A file beside the logs names the running process groups. A stack that was itself killed leaves them running; the next
one over the same folder ends them before it starts its own.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO, Self, cast

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.stack.child import POLL_SECONDS, Child, Program
from zeppelin_pipeline.stack.process_table import command_line, group_members

GRACE_SECONDS = 15.0


class Supervisor:
    """Children of one folder; use it in a `with` block.

    Raises on entering:
        ConfigurationError: another living process runs a stack over the same folder.
    """

    def __init__(self, folder: Path, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """Describe a stack.

        Args:
            folder: for the logs, the lock and the list of groups.
            grace_seconds: how long a program may take to stop before it is killed.
        """
        self._folder = folder
        self._grace_seconds = grace_seconds
        self._children: list[Child] = []
        self._keepers: list[Callable[[], object]] = []
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self._end_strays()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._lock is not None:
            self._lock.close()

    def start(self, *programs: Program) -> None:
        """Start programs side by side and return when all of them are ready.

        Raises:
            ProgramError: one ended, or was not ready in time.
        """
        started: list[Child] = []
        for program in programs:
            child = Child(program, self._folder)
            self._children.append(child)
            started.append(child)
            self._write_groups()
        for child in started:
            child.wait_until_ready()

    def keep(self, revive: Callable[[], object]) -> None:
        """Have something that is no program of ours brought back before each look at the programs."""
        self._keepers.append(revive)

    def check(self) -> None:
        """Raise ProgramError when any program has ended."""
        for revive in self._keepers:
            revive()
        for child in self._children:
            child.check()

    def watch(self) -> None:
        """Stay until a program ends, which raises ProgramError, or a signal ends the wait."""
        while True:
            self.check()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop all programs, the last started first; calling it again does nothing."""
        while self._children:
            self._children.pop().stop(self._grace_seconds)
            with suppress(OSError):  # of a full disk: the others are stopped all the same, and who is gone is no stray
                self._write_groups()

    @property
    def _groups_file(self) -> Path:
        return self._folder / "groups.json"

    def _take_lock(self) -> BinaryIO:
        lock = (self._folder / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise ConfigurationError(f"another stack runs over {self._folder}: stop it first") from None
        return lock

    def _write_groups(self) -> None:
        """Which groups run, each with the command that makes its number trustworthy."""
        groups = {str(child.group): " ".join(child.program.command) for child in self._children}
        unfinished = self._groups_file.with_suffix(".tmp")
        unfinished.write_text(json.dumps(groups), encoding="utf-8")
        unfinished.replace(self._groups_file)

    def _end_strays(self) -> None:
        if not self._groups_file.exists():
            return
        groups = cast("dict[str, str]", json.loads(self._groups_file.read_text(encoding="utf-8")))
        for group, command in groups.items():
            if command in command_line(int(group)):  # a script's interpreter stands before it
                _end_group(int(group), self._grace_seconds)
        self._groups_file.unlink()


@contextmanager
def terminating_as_interrupt() -> Generator[None]:
    """Within the block, SIGTERM and SIGINT raise KeyboardInterrupt once; a second signal does not disturb the clean-up.

    Setting handlers also matters to the children: a shell's `&` starts us with SIGINT ignored, which they would
    inherit, and Dagster's programs would then not stop.
    """
    wanted = (signal.SIGINT, signal.SIGTERM)

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        for way in wanted:
            signal.signal(way, _ignore)
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {way: signal.signal(way, interrupt) for way in wanted}
    try:
        yield
    finally:
        for way, handler in before.items():
            signal.signal(way, handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler, not SIG_IGN: programs started later do not inherit it."""


def _end_group(group: int, grace_seconds: float) -> None:
    """End a group that is not our child."""
    for way in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, way)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + grace_seconds
        while group_members(group) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if not group_members(group):
            return
