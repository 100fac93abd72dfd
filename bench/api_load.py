"""Half of what the API can take, for long, with faults: `python -m bench.api_load [--minutes 20]`.

A devnet's warehouse is asked about everything at half of the rate at which it saturates: first with nothing else going
on, for the latency that the budget speaks of; then while another process merges shards of other accounts and follows a
relay, and while Postgres is restarted, and killed with -9, by turns. Each answer must be byte for byte the one that was
given before all this began; of what searches the whole (which does change) the status alone is looked at. While
Postgres is away, and a little after, 503 with Retry-After is right as well. Printed: wrong answers, needless refusals
and ends of the writing process that no fault explains, which must be none (else the exit status is 1), answers by
status, latency from the moment when a request was due, and the service's memory.
"""

import argparse
import asyncio
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import psycopg
import uvloop

from bench.api import paths_of
from bench.api_ground import Ground, devnet_ground
from bench.api_sides import Service, our_service
from bench.backfill_input import OUT, make_input
from bench.chaos_programs import KeptProgram
from bench.firehose_events import write_events
from bench.firehose_ours import running_relay
from bench.http_load import Answer, Connection, answers_to, load, request_for
from bench.temporary_warehouse import temporary_server
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.stack.child import Program
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.connection import read_key_space

CLIENTS: Final = 16
SATURATION_SECONDS: Final = 10.0
#: At half of that rate, before anything else goes on.
CALM_SECONDS: Final = 30.0
KEEP_SECONDS: Final = 0.5
LONGEST_LINE: Final = 300
#: Between two faults, about.
FAULT_SECONDS: Final = 60.0
#: Postgres is back, and still a request that began before may be told to come again.
GRACE_SECONDS: Final = 5.0
OTHER_SEED: Final = 7
#: Answered from all accounts there are: more come while this runs.
_OF_THE_WHOLE: Final = ("search", "getSuggestions", "getPopularFeedGenerators", "_health")


@dataclass(slots=True)
class Tally:
    """What came of it.

    Attributes:
        statuses: answers by status.
        wrong: what was wrong, by what and where.
        refused: 503 with Retry-After although Postgres was there, by what was said.
        seconds: from when each was due to its answer.
        faults: that were made, by name.
        away_until: until when Postgres is away, and the grace after it; infinite while it is.
    """

    statuses: Counter[int] = field(default_factory=Counter[int])
    wrong: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    seconds: list[float] = field(default_factory=list[float])
    faults: Counter[str] = field(default_factory=Counter[str])
    away_until: float = 0.0

    @property
    def latency(self) -> str:
        """How long answers took."""
        p50, p99, most = np.percentile(self.seconds, [50, 99, 100]) * 1000
        return f"p50 {p50:.1f}, p99 {p99:.1f}, most {most:.1f} ms"

    def judge(self, path: str, expected: bytes | None, answer: Answer, due: float) -> None:
        """Count one answer."""
        self.statuses[answer.status] += 1
        self.seconds.append(time.monotonic() - due)
        if answer.status == 503 and answer.retry_after:
            if due >= self.away_until:
                self.refused[answer.body[:200].decode(errors="replace")] += 1
        elif answer.status != 200:
            self.wrong[f"{answer.status} {path}: {answer.body[:200].decode(errors='replace')}"] += 1
        elif expected is not None and answer.body != expected:
            self.wrong[f"another answer: {path}"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--repos", type=int, default=300, help="of the devnet that is asked about")
    parser.add_argument("--shards", type=int, default=20, help="that are merged meanwhile")
    parser.add_argument("--events-a-second", type=float, default=20.0, help="of the relay that is followed meanwhile")
    parser.add_argument("--seed", type=int, default=1, help="of the faults")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=OUT) as folder,  # beside the packs, which it gets links to
        temporary_server() as server,
        devnet_ground(server, options.repos) as ground,
        _writer(Path(folder), ground, options) as writer,
    ):
        pid = server.pid or 0
        with our_service(ground.url, pid, ACCEPT_PENDING_HANDLES="true") as service:
            calm, tally = uvloop.run(_run(options, server, service, ground, writer))
            peak_bytes = service.peak_bytes()
    for each, what in ((calm, "with nothing else going on"), (tally, "with faults and writing")):
        _print(each, what)
    print(f"the API's process: {peak_bytes / 2**20:,.0f} MiB at its highest")
    _print_endings(writer)
    return 1 if any(each.wrong or each.refused for each in (calm, tally)) or writer.endings else 0


@contextmanager
def _writer(folder: Path, ground: Ground, options: argparse.Namespace) -> Generator[KeptProgram]:
    """The writer, not yet begun: of shards of other accounts, extracted, and of events of others again."""
    made = make_input(DevnetConfig(repos=options.shards * 10, seed=OTHER_SEED), options.shards)
    made.link_packs(folder / "lake")
    for shard in made.shards:
        extract_shard(Lake(str(folder / "lake")), shard)
    events = folder / "events"
    keys = write_events(events, 50, int(options.minutes * 60 * options.events_a_second))
    with psycopg.connect(ground.url, autocommit=True) as connection:
        now = datetime.now(UTC)
        known = [KnownIdentity(DidDocument(did, signing_key=key), now) for did, key in keys.items()]
        store_identities(connection, known, read_key_space(connection))
    with running_relay(events, "--rate", str(options.events_a_second)) as (relay, _):
        command = (sys.executable, "-m", "bench.api_load_writer", ground.url, str(folder / "lake"), relay)
        writer = KeptProgram(Program("writer", (*command, "--shards", str(options.shards)), os.environ), folder)
        try:
            yield writer
        finally:
            writer.stop()


async def _run(
    options: argparse.Namespace, server: EmbeddedPostgres, service: Service, ground: Ground, writer: KeptProgram
) -> tuple[Tally, Tally]:
    """What came of the calm time, and of the one with faults."""
    expected = await _expected(service, ground)
    paths = list(expected)
    random.Random(options.seed).shuffle(paths)
    full = await load(service.url, paths, CLIENTS, SATURATION_SECONDS)
    rate = full.requests / full.wall_seconds / 2
    print(f"{len(paths):,} questions; saturated at {2 * rate:,.0f} a second; asked at {rate:,.0f}", flush=True)
    calm, tally = Tally(), Tally()
    await _ask(service, paths, expected, rate, CALM_SECONDS, calm)
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_kept(writer, ended))
        group.create_task(_faults(server, writer, tally, random.Random(options.seed), ended))
        try:
            await _ask(service, paths, expected, rate, options.minutes * 60, tally)
        finally:
            ended.set()
    return calm, tally


async def _expected(service: Service, ground: Ground) -> dict[str, bytes | None]:
    """The answer to each question that succeeds; None where the status alone counts."""
    asked = [path for paths in paths_of(ground.world).values() for path in paths]
    first = await answers_to(service.url, asked, CLIENTS)
    again = await answers_to(service.url, asked, CLIENTS)
    expected: dict[str, bytes | None] = {}
    for path, one, other in zip(asked, first, again, strict=True):
        if one.status == 200:
            is_of_the_whole = any(word in path.partition("?")[0] for word in _OF_THE_WHOLE)
            expected[path] = None if is_of_the_whole else one.body
            if not is_of_the_whole and one.body != other.body:
                raise AssertionError(f"two answers to one question, nothing having changed: {path}")
    return expected


async def _kept(writer: KeptProgram, ended: asyncio.Event) -> None:
    """The writer, started again whenever it ended; in a thread, as answers are timed meanwhile."""
    while not ended.is_set():
        await asyncio.to_thread(writer.keep)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), KEEP_SECONDS)


async def _faults(
    server: EmbeddedPostgres, writer: KeptProgram, tally: Tally, dice: random.Random, ended: asyncio.Event
) -> None:
    for name in itertools.cycle(("restart", "kill -9")):
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), FAULT_SECONDS * (0.5 + dice.random()))
        if ended.is_set():
            return
        tally.away_until = float("inf")
        tally.faults[name] += 1
        print(f"{name} of Postgres", flush=True)
        writer.excuse()
        await asyncio.to_thread(_restart if name == "restart" else _kill, server)
        writer.excuse()  # begun again meanwhile, it may just now have found no database
        tally.away_until = time.monotonic() + GRACE_SECONDS


def _restart(server: EmbeddedPostgres) -> None:
    server.stop()
    server.start()


def _kill(server: EmbeddedPostgres) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.05)
    server.revive()


async def _ask(
    service: Service,
    paths: Sequence[str],
    expected: dict[str, bytes | None],
    rate: float,
    seconds: float,
    tally: Tally,
) -> None:
    """Each request when it is due, whatever became of those before; a connection takes the next one that is due."""
    started = time.monotonic()
    numbers = iter(range(int(rate * seconds)))

    async def take() -> None:
        connection = await Connection.open(service.url)
        for number in numbers:
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            path = paths[number % len(paths)]
            request = request_for(service.url, path)
            try:
                answer = await connection.get(request)
            except ConnectionError:  # a server may close a connection that is idle
                connection = await Connection.open(service.url)
                answer = await connection.get(request)
            tally.judge(path, expected[path], answer, due)
        connection.close()

    await asyncio.gather(*(take() for _ in range(4 * CLIENTS)))


def _print(tally: Tally, what: str) -> None:
    total = sum(tally.statuses.values())
    faults = ", ".join(f"{count} {name}" for name, count in tally.faults.items()) or "none"
    print(f"{what}; faults: {faults}")
    print(f"  {total:,} answers: " + ", ".join(f"{count:,} of {status}" for status, count in tally.statuses.items()))
    print(f"  latency: {tally.latency}")
    print(f"  wrong answers: {tally.wrong.total()}; refused although Postgres was there: {tally.refused.total()}")
    for told, count in tally.refused.most_common() + tally.wrong.most_common(10):
        print(f"    {count} x {told[:LONGEST_LINE]}")


def _print_endings(writer: KeptProgram) -> None:
    print(f"writer: begun {writer.starts} times; ended by itself: {len(writer.endings)}")
    for ending in writer.endings:
        print(f"  {ending}")


if __name__ == "__main__":
    sys.exit(main())
