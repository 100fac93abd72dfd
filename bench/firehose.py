"""Live events into an indexed warehouse, all checks on: `python -m bench.firehose [--events N] [--rates 0,1000,4000]`.

A relay replays signed events to the whole consumer: received, verified (signature and operation inversion), indexed,
counted, each batch in one transaction with the cursor. Rate 0 is as fast as they are taken. Printed for each rate:
events a second, the lag at the end of each batch, processor time of an event by part, and memory. At the end the counts
must equal a recomputation and no event may have been refused.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.firehose_events import write_events
from bench.stage_cost import watch
from bench.temporary_warehouse import empty_warehouse, temporary_server
from zeppelin_pipeline.aggregates.counts import AGGREGATES, recompute
from zeppelin_pipeline.firehose.consumer import BatchLimits, ConsumerSettings
from zeppelin_pipeline.firehose.rates import Rates
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.key_ranges import range_names


@dataclass(frozen=True, slots=True)
class Figures:
    """What one rate came to; times of an event are in microseconds of one processor."""

    rate: float
    events: int
    wall_seconds: float
    consumer_micros: float
    verifiers_micros: float
    server_micros: float
    lag_median: float
    lag_worst: float
    peak_bytes: int
    refused: int
    drifted: int

    def line(self) -> str:
        """For a person."""
        rate = "full" if not self.rate else f"{self.rate:,.0f}"
        total = self.consumer_micros + self.verifiers_micros + self.server_micros
        return (
            f"rate {rate:>6}: {self.events / self.wall_seconds:8,.0f} events/s; processor us/event {total:6.0f}"
            f" (consumer {self.consumer_micros:.0f}, verifiers {self.verifiers_micros:.0f}, Postgres"
            f" {self.server_micros:.0f}); lag median {self.lag_median:.2f} s, worst {self.lag_worst:.2f} s;"
            f" consumer {self.peak_bytes >> 20} MiB; refused {self.refused}, counts off {self.drifted}"
        )


@contextmanager
def _relay(path: Path, rate: float, burst: int) -> Generator[str]:
    command = [sys.executable, "-m", "bench.firehose_relay", str(path), "--rate", str(rate), "--burst", str(burst)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _settings(url: str, relay: str, folder: Path, batch: BatchLimits) -> FirehoseSettings:
    return FirehoseSettings(
        postgres_url=url,
        lake=Lake(str(folder / "lake")),
        relay=relay,
        plc_url="http://127.0.0.1:1",
        clients=ClientSettings(allow_private=True),
        verifiers=2,
        consumer=ConsumerSettings(batch=batch, stream=StreamSettings(allow_private=True), report_seconds=0.25),
    )


async def _follow(settings: FirehoseSettings, last: int) -> list[Rates]:
    until = asyncio.Event()
    reports: list[Rates] = []

    def report(rates: Rates) -> None:
        reports.append(rates)
        if (rates.cursor or 0) >= last:
            until.set()

    await follow(settings, until, report)
    return reports


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _drifted(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        return sum(recompute(connection, aggregate, key).drifted for aggregate in AGGREGATES for key in range_names())


def measure(
    server: EmbeddedPostgres, path: Path, keys: dict[str, str], total: int, rate: float, batch: BatchLimits
) -> Figures:
    """One rate, into a warehouse of its own that has the accounts' first commits already."""
    with empty_warehouse(server) as connection, tempfile.TemporaryDirectory() as folder:
        build_indexes(connection)
        known = [KnownIdentity(DidDocument(did, signing_key=key), datetime.now(UTC)) for did, key in keys.items()]
        store_identities(connection, known, read_key_space(connection))
        info = connection.info
        url = f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"
        with _relay(path, rate, len(keys)) as relay:
            settings = _settings(url, relay, Path(folder), batch)
            own, children = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
            started = time.monotonic()
            with watch(server) as watched:
                reports = asyncio.run(_follow(settings, total))
            wall = time.monotonic() - started
            own, children = _cpu(resource.RUSAGE_SELF) - own, _cpu(resource.RUSAGE_CHILDREN) - children
        lags = [each.lag_seconds for each in reports if each.lag_seconds is not None and (each.cursor or 0) > len(keys)]
        return Figures(
            rate=rate,
            events=total,
            wall_seconds=wall,
            consumer_micros=own / total * 1e6,
            verifiers_micros=children / total * 1e6,
            server_micros=watched.server_cpu_seconds / total * 1e6,
            lag_median=statistics.median(lags) if rate and lags else 0.0,
            lag_worst=max(lags) if rate and lags else 0.0,
            peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
            refused=sum(sum(each.refused.values()) for each in reports),
            drifted=_drifted(url),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rates", default="0,1000,4000")
    parser.add_argument("--batch-events", type=int, default=BatchLimits().events)
    parser.add_argument("--batch-seconds", type=float, default=BatchLimits().seconds)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, temporary_server() as server:
        path = Path(folder) / "events"
        keys = write_events(path, given.accounts, given.events)
        batch = BatchLimits(events=given.batch_events, seconds=given.batch_seconds)
        load = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        print(f"{given.events:,} events of {given.accounts:,} accounts; {load}")
        for rate in map(float, given.rates.split(",")):
            print(measure(server, path, keys, given.accounts + given.events, rate, batch).line(), flush=True)


if __name__ == "__main__":
    main()
