"""Programs that are kept running whatever kills them, and when each is killed; nothing of what they do."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bench.stage_cost import children_of, peak_bytes_of, tree_cpu_seconds
from zeppelin_pipeline.stack.child import Child, Program, ProgramError
from zeppelin_pipeline.stack.process_table import command_line

_RESTART_SECONDS: Final = 0.5
_GRACE_SECONDS: Final = 20.0
#: Within so long whatever was killed, or has lost the database, must have ended.
_EXCUSED_SECONDS: Final = 30.0


@dataclass(slots=True)
class CpuMeter:
    """Processor time of a program that is another process after each start.

    Attributes:
        seconds: used until the last look; what a process used between its last look and its end is not known.
    """

    seconds: float = 0.0
    _pid: int | None = None
    _seen: float = 0.0

    def look(self, pid: int | None) -> None:
        """Adds what its process, and those that this started, have used since the last look."""
        if pid != self._pid:
            self._pid, self._seen = pid, 0.0
        used = 0.0 if pid is None else tree_cpu_seconds(pid)
        self.seconds += max(used - self._seen, 0.0)
        self._seen = max(used, self._seen)


@dataclass(slots=True)
class KeptProgram:
    """A program that is started again whenever it ended, each time with a log of its own.

    Attributes:
        program: as it is started.
        logs: the folder.
        starts: how often it was.
        endings: reasons why it ended by itself, with the end of its log.
        peak_bytes: resident memory, at its highest, of it and of those that it started.
        cpu: processor time of all its starts.
    """

    program: Program
    logs: Path
    starts: int = 0
    endings: list[str] = field(default_factory=list[str])
    peak_bytes: int = 0
    cpu: CpuMeter = field(default_factory=CpuMeter)
    _child: Child | None = None
    _excused_until: float = 0.0
    _restart_at: float = 0.0

    @property
    def name(self) -> str:
        """Of the program."""
        return self.program.name

    @property
    def pid(self) -> int | None:
        """Of the running process; none between an end and the next start."""
        return None if self._child is None else self._child.group

    def keep(self) -> None:
        """Start it if it does not run and its pause is over; note why it ended."""
        if self._child is None:
            if time.monotonic() >= self._restart_at:
                self.starts += 1
                named = replace(self.program, name=f"{self.name}-{self.starts:03d}")
                self._child = Child(named, self.logs)
            return
        try:
            self._child.check()
        except ProgramError as error:
            if time.monotonic() > self._excused_until:
                self.endings.append(str(error))
            self._child.stop(_GRACE_SECONDS)
            self._child, self._restart_at = None, time.monotonic() + _RESTART_SECONDS
            return
        self.peak_bytes = max(self.peak_bytes, *map(peak_bytes_of, self.pids()))
        self.cpu.look(self.pid)

    def pids(self) -> list[int]:
        """Of the process, and of those that it started."""
        return [] if self.pid is None else [self.pid, *children_of(self.pid)]

    def kill(self, pid: int) -> None:
        """Kill -9 it, or one of those that it started: it may then end by itself."""
        self.excuse()
        os.kill(pid, signal.SIGKILL)

    def excuse(self) -> None:
        """Its end, if it comes soon, is not its own fault."""
        self._excused_until = time.monotonic() + _EXCUSED_SECONDS

    def stop(self) -> None:
        """Let it end in order."""
        if self._child is not None:
            self._child.stop(_GRACE_SECONDS)
            self._child = None


@dataclass(frozen=True, slots=True)
class Victim:
    """What is killed: a program, one of the processes that it started, or the database."""

    name: str
    program: KeptProgram | None
    is_child: bool = False


def victims_of(firehose: KeptProgram, programs: list[KeptProgram]) -> list[Victim]:
    """Every kind of process once."""
    return [
        Victim("postgres", None),
        Victim("postgres session", None, is_child=True),
        Victim("verifier", firehose, is_child=True),
        *(Victim(each.name, each) for each in programs),
    ]


def kill_times(victims: list[Victim], dice: random.Random, period_seconds: float) -> Iterator[tuple[float, Victim]]:
    """Within each period every victim once, at a random moment: seconds from the start, in order, without end."""
    period = 0
    while True:
        moments = [((period + dice.random()) * period_seconds, dice.random(), victim) for victim in victims]
        yield from ((moment, victim) for moment, _, victim in sorted(moments, key=lambda each: each[:2]))
        period += 1


def living_child(pid: int, words: str) -> int | None:
    """A process that another one started, by words of its command line; None when there is none."""
    found = [child for child in children_of(pid) if words in command_line(child)]
    return random.choice(found) if found else None


def tally(kills: Counter[str]) -> str:
    """Kills by name, in a line."""
    return ", ".join(f"{name} {count}" for name, count in sorted(kills.items()))
