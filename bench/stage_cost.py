"""What a stage of a bench costs: wall and CPU seconds and memory, of our own processes and of the Postgres server.

Read from `/proc`, so on Linux only. The server's processor time is that of all its processes, ended ones included.
"""

import os
import statistics
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

SAMPLE_SECONDS: Final = 0.05
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of one run, or the medians of several.

    Attributes:
        name: what was done.
        records: on which it was done.
        processes: that worked side by side, Postgres not counted.
        wall_seconds: from its begin to its end.
        cpu_seconds: of our processes.
        server_cpu_seconds: of the Postgres server.
        peak_bytes: resident memory of the largest of our processes, at its highest.
        server_peak_bytes: memory of all processes of the server together, without what they share, at its highest.
    """

    name: str
    records: int
    processes: int
    wall_seconds: float
    cpu_seconds: float
    server_cpu_seconds: float
    peak_bytes: int
    server_peak_bytes: int

    @property
    def records_per_second(self) -> float:
        """By the wall clock."""
        return self.records / self.wall_seconds

    @property
    def micros_per_record(self) -> float:
        """Processor time of a record, the server's included."""
        return (self.cpu_seconds + self.server_cpu_seconds) / self.records * 1e6

    def to_json(self) -> dict[str, Any]:
        """All fields, and the rates that are made of them."""
        rates = {"records_per_second": self.records_per_second, "cpu_micros_per_record": self.micros_per_record}
        return {**asdict(self), **rates}


def median_of(stages: list[Stage]) -> Stage:
    """The median of each time, the highest of each peak."""
    first = stages[0]
    return Stage(
        name=first.name,
        records=first.records,
        processes=first.processes,
        wall_seconds=statistics.median(stage.wall_seconds for stage in stages),
        cpu_seconds=statistics.median(stage.cpu_seconds for stage in stages),
        server_cpu_seconds=statistics.median(stage.server_cpu_seconds for stage in stages),
        peak_bytes=max(stage.peak_bytes for stage in stages),
        server_peak_bytes=max(stage.server_peak_bytes for stage in stages),
    )


@dataclass(slots=True)
class Watch:
    """A clock that is running, or has ended.

    Attributes:
        wall_seconds: between begin and end; 0 while it runs.
        server_cpu_seconds: likewise.
        server_peak_bytes: as in `Stage`.
        cpu_seconds: of our processes, which the watched code adds up itself.
        peak_bytes: likewise.
    """

    wall_seconds: float = 0.0
    server_cpu_seconds: float = 0.0
    server_peak_bytes: int = 0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def add_process(self, cpu_seconds: float, peak_bytes: int) -> None:
        """Charges what a process of ours has used."""
        self.cpu_seconds += cpu_seconds
        self.peak_bytes = max(self.peak_bytes, peak_bytes)

    def stage(self, name: str, records: int, processes: int) -> Stage:
        """What was measured."""
        return Stage(
            name=name,
            records=records,
            processes=processes,
            wall_seconds=self.wall_seconds,
            cpu_seconds=self.cpu_seconds,
            server_cpu_seconds=self.server_cpu_seconds,
            peak_bytes=self.peak_bytes,
            server_peak_bytes=self.server_peak_bytes,
        )


def both(first: Watch, second: Watch) -> Watch:
    """What one after the other cost."""
    return Watch(
        wall_seconds=first.wall_seconds + second.wall_seconds,
        server_cpu_seconds=first.server_cpu_seconds + second.server_cpu_seconds,
        server_peak_bytes=max(first.server_peak_bytes, second.server_peak_bytes),
        cpu_seconds=first.cpu_seconds + second.cpu_seconds,
        peak_bytes=max(first.peak_bytes, second.peak_bytes),
    )


@contextmanager
def watch(server: EmbeddedPostgres) -> Generator[Watch]:
    """Measures the time of the block, and what the server does meanwhile."""
    running, ended, server_pid = Watch(), threading.Event(), _pid_of(server)

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            running.server_peak_bytes = max(running.server_peak_bytes, _own_bytes(server_pid))

    sampler = threading.Thread(target=sample, daemon=True)
    cpu, started = tree_cpu_seconds(server_pid), time.perf_counter()
    sampler.start()
    try:
        yield running
    finally:
        running.wall_seconds = time.perf_counter() - started
        running.server_cpu_seconds = tree_cpu_seconds(server_pid) - cpu
        ended.set()
        sampler.join()


def server_cpu_seconds(server: EmbeddedPostgres) -> float:
    """What the server's processes have used so far, ended ones included."""
    return tree_cpu_seconds(_pid_of(server))


def _pid_of(server: EmbeddedPostgres) -> int:
    if server.pid is None:
        raise AssertionError("the server does not run")
    return server.pid


def tree_cpu_seconds(pid: int) -> float:
    """Of a process, of its children that it has reaped, and of those that live: of Postgres all, by its postmaster."""
    seconds = 0.0
    for each in [pid, *children_of(pid)]:
        with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile: its time is its parent's from now on
            seconds += sum(_cpu_seconds(each))
    return seconds


def own_cpu_seconds(process: int | str) -> float:
    """Of a process, or of one thread (`PID/task/THREAD`), without children: in user code and in the kernel."""
    return sum(_cpu_seconds(process)[:2])


def _cpu_seconds(process: int | str) -> list[float]:
    """Its own in user code and in the kernel, then those of children that it has reaped."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    return [int(ticks) / _TICKS for ticks in stat.rpartition(")")[2].split()[11:15]]


def _own_bytes(server_pid: int) -> int:
    return sum(map(_anonymous_bytes, children_of(server_pid)))


def peak_bytes_of(pid: int | str) -> int:
    """Resident memory of a process at its highest; `getrusage` would give a new process that of its parent."""
    return _status_bytes(pid, "VmHWM:")


def _anonymous_bytes(pid: int) -> int:
    return _status_bytes(pid, "RssAnon:")


def _status_bytes(pid: int | str, field: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # ended meanwhile
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field)), 0)


def children_of(pid: int) -> list[int]:
    """The processes that the main thread of a process started and that live."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # ended meanwhile
