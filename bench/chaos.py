"""Backfill and live at once under faults and kills: `python -m bench.chaos [--minutes N] [--rate N] [--seed N]`.

A devnet emits events at a rate while its hosts and its relay fail now and then. The pipeline's processes take it in:
the backfill's stages, `zeppelin firehose` with its verifiers, the embedded Postgres. Within each period (a minute) each
of them is killed -9 once at a random moment, and started again. After each kill the cursor must not be ahead of what
is durable. At the end nobody writes any more, the pipeline settles, and everything must be as on the network: every
repository proven, every record, every account's state, all counts, the cursor. What differs is named, and the exit code
is 1. SIGTERM and SIGINT end all processes.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from bench.chaos_checks import cursor_of, differences, lost_behind_cursor, unsettled
from bench.chaos_faults import FAULT_SECONDS, Dice, faulty_network
from bench.chaos_programs import CpuMeter, KeptProgram, Victim, kill_times, living_child, tally, victims_of
from bench.chaos_stages import STAGES, Stages, stage_settings
from bench.temporary_warehouse import bench_home
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.child import Program
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.stack.firehose import set_cursors
from zeppelin_pipeline.stack.supervisor import terminating_as_interrupt
from zeppelin_pipeline.warehouse.migrations import migrate

_LOOK_SECONDS: Final = 0.5
#: The network is a thread of this process that never rests: whoever wants the interpreter after a look at a file or the
#: database would wait for it five milliseconds each time, and kills would come late and in heaps.
_SWITCH_SECONDS: Final = 0.0005
_SETTLE_ROUNDS: Final = 10
#: A consumer that takes nothing for so long, with events waiting, hangs.
_STALLED_SECONDS: Final = 180.0
_DATABASE: Final = "zeppelin"


@dataclass(frozen=True, slots=True)
class ChaosSettings:
    """How long, how fast, how bad.

    Attributes:
        seconds: of events, faults and kills.
        rate: events a second, asked of the network.
        seed: of the network and of the dice.
        repos: accounts.
        mean_records: of an account at the start.
        kill_period_seconds: within which each process is killed once.
        backlog_seconds: how far back the relay replays.
        settle_seconds: how long the pipeline may take to settle at the end.
        stage_limit_bytes: resident memory that no process of the pipeline may pass.
        report_seconds: between two lines of progress.
        processes: the stages of the backfill that each process does.
    """

    seconds: float
    rate: float
    seed: int
    repos: int = 600
    mean_records: float = 100.0
    kill_period_seconds: float = 60.0
    backlog_seconds: float = 60.0
    settle_seconds: float = 900.0
    stage_limit_bytes: int = 1 << 30
    report_seconds: float = 10.0
    processes: tuple[tuple[str, ...], ...] = tuple((stage,) for stage in STAGES)


@dataclass(slots=True)
class ChaosResult:
    """What came of it.

    Attributes:
        faults: everything that is not as it must be, a line each; empty when all is well.
        kills: by victim.
        events_made: by the network, while it was asked for the rate.
        events_applied: by the consumer.
        seconds: in which they were made.
        cpu_seconds: that were used meanwhile, by program; `network` is the process that makes the events and this.
    """

    faults: list[str] = field(default_factory=list[str])
    kills: Counter[str] = field(default_factory=Counter[str])
    events_made: int = 0
    events_applied: int = 0
    seconds: float = 0.0
    cpu_seconds: dict[str, float] = field(default_factory=dict[str, float])


class Chaos:
    """One run over a running network and server."""

    def __init__(self, settings: ChaosSettings, network: DevnetHandle, server: EmbeddedPostgres, home: Path) -> None:
        self._settings = settings
        self._network = network
        self._server = server
        self._zeppelin = _zeppelin_settings(network, server.create_database(_DATABASE), home)
        self._lake = Lake(self._zeppelin.lake_url)
        self._url = self._zeppelin.require_postgres_url()
        self._random = random.Random(settings.seed)
        self._dice = Dice(network, settings.seed)
        environment = self._zeppelin.environment()
        logs = home / "logs"
        logs.mkdir(parents=True)
        self._firehose = KeptProgram(
            Program("firehose", (sys.executable, "-m", "zeppelin_pipeline.cli", "firehose"), environment), logs
        )
        self._stages = [
            KeptProgram(
                Program("-".join(names), (sys.executable, "-m", "bench.chaos_stages", *names), environment),
                logs,
            )
            for names in settings.processes
        ]
        self._programs = [self._firehose, *self._stages]
        self._server_cpu = CpuMeter()
        self._is_unchecked = False
        self._started = 0.0
        self._last_seen: tuple[int | None, int] = (None, 0)
        self._moved_at = 0.0
        self.result = ChaosResult()

    def run(self) -> None:
        """All of it; the faults are in the result."""
        migrate(self._url)
        set_cursors(self._zeppelin, "0")
        Stages(self._zeppelin).survey()  # by then the network is made: what follows is its events alone
        self._network.set_paused(False)
        try:
            self._rage()
            self._settle()
            self._check_end()
        finally:
            for program in self._programs:
                program.stop()

    def _rage(self) -> None:
        """Events, faults and kills."""
        settings = self._settings
        victims = victims_of(self._firehose, self._programs)
        kills = kill_times(victims, self._random, settings.kill_period_seconds)
        kill_at, victim = next(kills)
        self._started = self._moved_at = time.monotonic()
        self._wait_for(self._started + settings.settle_seconds, self._is_begun)
        self._say("events come in; kills and faults begin")
        made_before, used_before = self._network.events_made, self._cpu_seconds()
        self._started = time.monotonic()
        fault_at, report_at = FAULT_SECONDS, settings.report_seconds
        while (now := self._now()) < settings.seconds:
            self._keep()
            if now >= kill_at:
                self._kill(victim)
                kill_at, victim = next(kills)
            if now >= fault_at:
                self._dice.throw(now)
                fault_at = now + FAULT_SECONDS
            if now >= report_at:
                self._report()
                report_at = now + settings.report_seconds
            time.sleep(_LOOK_SECONDS)
        self._network.set_paused(True)
        self.result.events_made, self.result.seconds = self._network.events_made - made_before, self._now()
        self.result.cpu_seconds = {name: used - used_before[name] for name, used in self._cpu_seconds().items()}

    def _cpu_seconds(self) -> dict[str, float]:
        """Processor time so far, by program."""
        programs = {each.name: each.cpu.seconds for each in self._programs}
        return {"network": time.process_time(), "postgres": self._server_cpu.seconds, **programs}

    def _now(self) -> float:
        return time.monotonic() - self._started

    def _keep(self) -> None:
        if self._server.revive():
            self._say("Postgres was started again")
        self._server_cpu.look(self._server.pid)
        for program in self._programs:
            program.keep()
        if self._is_unchecked:
            self._check_cursor()

    def _kill(self, victim: Victim) -> None:
        pid = self._pid_of(victim)
        if pid is None:
            self._say(f"{victim.name} does not run: not killed")
            return
        self._say(f"kill -9 {victim.name}")
        self.result.kills[victim.name] += 1
        self._is_unchecked = True
        if victim.program is not None:
            victim.program.kill(pid)
            return
        for program in self._programs:
            program.excuse()
        os.kill(pid, signal.SIGKILL)

    def _pid_of(self, victim: Victim) -> int | None:
        if victim.program is None:
            server = self._server.pid
            return living_child(server, "zeppelin") if server and victim.is_child else server
        pid = victim.program.pid
        return living_child(pid, "verifier_process") if pid and victim.is_child else pid

    def _check_cursor(self) -> None:
        """Once after each kill, as soon as the server answers."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                lost = lost_behind_cursor(connection, self._lake, self._network)
        except (psycopg.OperationalError, FileNotFoundError):
            return  # it does not answer yet, or a file was applied meanwhile: asked again at the next look
        self._is_unchecked = False
        self.result.faults += lost
        for line in lost:
            self._say(line)

    def _report(self) -> None:
        result, made = self.result, self._network.events_made
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                row = connection.execute("SELECT seq, events FROM stream").fetchone() or (None, 0)
                waiting = unsettled(connection)
        except psycopg.OperationalError:
            self._say("Postgres does not answer")
            return
        cursor, result.events_applied = row
        seen = cursor, self._firehose.starts
        if seen != self._last_seen or cursor == self._network.last_seq():
            self._last_seen, self._moved_at = seen, time.monotonic()
        elif time.monotonic() - self._moved_at > _STALLED_SECONDS:
            self.result.faults.append(f"the consumer hangs at {cursor}; {self._firehose.name}-{self._firehose.starts}")
            self._moved_at = time.monotonic()
        peak = max(self._programs, key=lambda each: each.peak_bytes)
        self._say(
            f"{made:,} events made, {result.events_applied:,} applied,"
            f" {self._network.last_seq() - (cursor or 0):,} behind; {waiting};"
            f" {sum(result.kills.values())} kills; {peak.name} {peak.peak_bytes >> 20} MiB;"
            f" {len(result.faults) + sum(len(each.endings) for each in self._programs)} faults"
        )

    def _settle(self) -> None:
        """Nobody writes: what waits is finished, by the running processes and then by hand what only a night would."""
        self._dice.mend()
        self._say("nobody writes any more; the pipeline settles")
        ends_at = time.monotonic() + self._settings.settle_seconds
        self._wait_for(ends_at, self._is_followed)
        for stage in self._stages:
            stage.stop()
        stages = Stages(self._zeppelin)
        stale = stages.settle(_SETTLE_ROUNDS)
        if stale:
            self.result.faults.append(f"{stale} repositories are still stale")
        self._wait_for(ends_at, self._is_followed, self._firehose)
        stages.counts()
        self._firehose.stop()

    def _wait_for(self, ends_at: float, is_done: Callable[[], bool], *programs: KeptProgram) -> None:
        report_at = 0.0
        while not is_done():
            if time.monotonic() > ends_at:
                self.result.faults.append("it does not settle in time")
                return
            self._server.revive()
            for program in programs or self._programs:
                program.keep()
            if time.monotonic() > report_at:
                self._report()
                report_at = time.monotonic() + self._settings.report_seconds
            time.sleep(_LOOK_SECONDS)

    def _is_begun(self) -> bool:
        """Whether the consumer has taken its first events: from then on a kill hits what is at work."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return bool(cursor_of(connection))

    def _is_followed(self) -> bool:
        """Whether all events are in, and no repository and no gap waits; those that wait for another try get it now."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                waiting = unsettled(connection)
                connection.execute("UPDATE resync SET due_at = now() WHERE failures > 0 AND due_at > now()")
                is_at_end = cursor_of(connection) == self._network.last_seq()
        except psycopg.OperationalError:
            return False
        return is_at_end and not (waiting["resync"] or waiting["gaps"] or waiting["spooled"])

    def _check_end(self) -> None:
        self._say("comparing")
        faults = self.result.faults
        with psycopg.connect(self._url, autocommit=True) as connection:
            faults += differences(connection, self._lake, self._network)
            row = connection.execute("SELECT events FROM stream").fetchone() or (0,)
            self.result.events_applied = row[0]
        for program in self._programs:
            faults += (f"{program.name} ended by itself: {ending}" for ending in program.endings)
            if program.peak_bytes > self._settings.stage_limit_bytes:
                faults.append(f"{program.name} took {program.peak_bytes >> 20} MiB")
            self._say(f"{program.name}: started {program.starts} times, at most {program.peak_bytes >> 20} MiB")

    def _say(self, line: str) -> None:
        print(f"{self._now():7.1f} s  {line}", flush=True)

    def summary(self) -> list[str]:
        """What happened, for a person."""
        result = self.result
        seconds = max(result.seconds, 1e-9)
        most = sorted(((used / seconds, name) for name, used in result.cpu_seconds.items()), reverse=True)
        lines = [
            f"events: {result.events_made:,} made in {result.seconds:,.0f} s",
            f"rate: {result.events_made / seconds:,.0f} a second reached of {self._settings.rate:,.0f} asked for",
            f"processors in use: {', '.join(f'{name} {share:.2f}' for share, name in most)}",
            f"consumer: {result.events_applied:,} events received, replayed ones among them",
            f"kills: {tally(result.kills)}",
            f"relay and host faults: {tally(self._dice.thrown)}; {tally(Counter(self._network.mistold))}",
        ]
        return [*lines, *(f"FAULT {fault}" for fault in result.faults)]


def _zeppelin_settings(network: DevnetHandle, url: str, home: Path) -> Settings:
    settings = Settings.load(
        home=home,
        postgres_url=url,
        relay_urls=(network.relay_url,),
        plc_url=network.plc_url,
        allow_private_hosts=True,
        tail_limit=20,
        shard_size=50,
        fetch_attempts=3,
    )
    return stage_settings(settings)


@contextmanager
def chaos_over(settings: ChaosSettings, server: EmbeddedPostgres, home: Path) -> Generator[Chaos]:
    """A run over a network of its own; the server is running, and is killed and revived."""
    network = faulty_network(
        repos=settings.repos,
        mean_records=settings.mean_records,
        rate=settings.rate,
        seed=settings.seed,
        backlog_seconds=settings.backlog_seconds,
    )
    with running_devnet(network) as handle:
        handle.set_paused(True)
        yield Chaos(settings, handle, server, home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2_000.0, help="events a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repos", type=int, default=600)
    parser.add_argument("--kill-seconds", type=float, default=60.0, help="within which each process is killed once")
    parser.add_argument("--home", type=Path, help="a folder for lake, database and logs that stays; else a temporary")
    given = parser.parse_args()
    settings = ChaosSettings(
        seconds=given.minutes * 60,
        rate=given.rate,
        seed=given.seed,
        repos=given.repos,
        kill_period_seconds=given.kill_seconds,
    )
    sys.setswitchinterval(_SWITCH_SECONDS)
    with terminating_as_interrupt(), ExitStack() as stack:
        home = stack.enter_context(bench_home(given.home))
        server = stack.enter_context(EmbeddedPostgres(home / "postgres"))
        chaos = stack.enter_context(chaos_over(settings, server, home))
        chaos.run()
        print("\n".join(chaos.summary()), flush=True)
        if chaos.result.faults:
            sys.exit(1)


if __name__ == "__main__":
    main()
