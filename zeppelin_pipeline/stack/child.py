"""One program that we run: its start in a process group of its own, its log, whether it is ready, and its end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from zeppelin_pipeline.errors import ZeppelinError
from zeppelin_pipeline.stack.process_table import group_members

POLL_SECONDS = 0.1
PROBE_TIMEOUT_SECONDS = 5.0
LOG_TAIL_LINES = 30
LOG_TAIL_BYTES = 20_000


class ProgramError(ZeppelinError):
    """A program of ours ended by itself or never became ready; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Attributes:
        name: names its log file; unique within a supervisor.
        command: words of the command line.
        environment: the whole environment of the process.
        is_ready: asked again and again after the start; None when it is ready as soon as it runs.
        ready_within_seconds: how long that may take.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    is_ready: Callable[[], bool] | None = None
    ready_within_seconds: float = 120.0


class Child:
    """A running program, the leader of its own process group."""

    def __init__(self, program: Program, log_dir: Path) -> None:
        """Start the program; its log of the last run is kept beside the new one."""
        self.program = program
        self.log = log_dir / f"{program.name}.log"
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - programs of our own
                program.command,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone: we stop them in our order
            )

    @property
    def group(self) -> int:
        """The process group, which is also the leader's process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ProgramError when the program has ended: none of ours ends by itself."""
        code = self._process.poll()
        if code is not None:
            raise ProgramError(f"{self.program.name} ended unexpectedly ({_describe_exit(code)}){self._log_tail()}")

    def wait_until_ready(self) -> None:
        """Return when the program says that it is ready.

        Raises:
            ProgramError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + self.program.ready_within_seconds
        while self.program.is_ready is not None and not self.program.is_ready():
            self.check()
            if time.monotonic() > deadline:
                seconds = self.program.ready_within_seconds
                raise ProgramError(f"{self.program.name} was not ready in {seconds:.0f} s{self._log_tail()}")
            time.sleep(POLL_SECONDS)
        self.check()

    def stop(self, grace_seconds: float) -> None:
        """End the program and all that it started; what still lives after the grace is killed.

        The whole group is asked at once: a run of Dagster in progress then marks itself as ended.
        """
        for way in (signal.SIGTERM, signal.SIGKILL):
            if not self._signal_group(way):
                break
            self._wait_for_group(grace_seconds)
        self._process.wait(grace_seconds)

    def _signal_group(self, way: signal.Signals) -> bool:
        """Whether anybody was left to be told."""
        if not group_members(self.group):
            return False
        try:
            os.killpg(self.group, way)
        except ProcessLookupError:  # the last one ended in between
            return False
        return True

    def _wait_for_group(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while group_members(self.group) and time.monotonic() < deadline:
            self._process.poll()
            time.sleep(POLL_SECONDS)

    def _log_tail(self) -> str:
        text = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").rstrip()
        lines = text.splitlines()[-LOG_TAIL_LINES:]
        return f"; {self.log} ends:\n" + "\n".join(lines) if lines else f"; {self.log} is empty"


def answers(url: str) -> Callable[[], bool]:
    """A question for `Program.is_ready`: does this URL answer with success?"""

    def ask() -> bool:
        try:
            return httpx2.get(url, timeout=PROBE_TIMEOUT_SECONDS, trust_env=False).is_success
        except httpx2.TransportError:
            return False

    return ask


def _describe_exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
