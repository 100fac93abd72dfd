"""One rate of live events through the whole consumer, into an indexed warehouse of its own; processor time by part."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from bench.stage_cost import children_of, own_cpu_seconds, peak_bytes_of, server_cpu_seconds
from bench.temporary_warehouse import empty_warehouse
from zeppelin_pipeline.aggregates.counts import recompute_all
from zeppelin_pipeline.firehose import verifier_process
from zeppelin_pipeline.firehose.consumer import BatchLimits, ConsumerSettings
from zeppelin_pipeline.firehose.cursors import StreamName, set_cursor
from zeppelin_pipeline.firehose.rates import Rates, lag_quantile
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import ENDPOINT, StreamSettings
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.stack.process_table import command_line
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.indexes import build_indexes

_REPORT_SECONDS: Final = 0.05
#: Parts of the processor time, in the order in which an event meets them.
PARTS: Final = ("relay", "reader", "verifiers", "apply", "Postgres")


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered.

    Attributes:
        path: file of events.
        keys: signing keys by DID, in the order of their first commits, which come first in the file.
        events: behind these.
        rate: events a second; 0 for as fast as they are taken.
    """

    path: Path
    keys: Mapping[str, str]
    events: int
    rate: float

    @property
    def last(self) -> int:
        """The number of the last event."""
        return len(self.keys) + self.events


@dataclass(frozen=True, slots=True)
class Figures:
    """What one offer came to.

    Attributes:
        rate: that was offered.
        events: that were measured.
        seconds: that they took.
        micros: of one processor for an event, by part.
        lags: how long after their emission events were committed, as `Rates` has it.
        peak_bytes: resident memory at its highest: of the consumer, and of the largest verifier.
        refused: events that were not taken; 0, or the figures mean nothing.
        drifted: counts that a recomputation found wrong; likewise.
    """

    rate: float
    events: int
    seconds: float
    micros: Mapping[str, float]
    lags: Mapping[int, int]
    peak_bytes: tuple[int, int]
    refused: int
    drifted: int

    @property
    def events_per_second(self) -> float:
        """That were verified, applied and committed."""
        return self.events / self.seconds

    @property
    def total_micros(self) -> float:
        """Of all parts but the relay, which is the bench's own."""
        return sum(micros for part, micros in self.micros.items() if part != "relay")

    def lag(self, share: float) -> float:
        """Seconds that this share of events did not exceed."""
        return lag_quantile(self.lags, share) or 0.0


@dataclass(frozen=True, slots=True)
class _Sample:
    """Seconds of processor time by part so far, the clock, and the cursor."""

    at: float
    cursor: int
    seconds: Mapping[str, float]


@dataclass
class _Watching:
    """Notes what is reported while the consumer runs, from its connection to the last event."""

    server: EmbeddedPostgres
    relay_pid: int
    first: int
    last: int
    done: asyncio.Event
    begin: _Sample | None = None
    end: _Sample | None = None
    lags: Counter[int] = field(default_factory=Counter[int])
    refused: int = 0
    peak_bytes: tuple[int, int] = (0, 0)

    def report(self, rates: Rates) -> None:
        self.lags.update(rates.lags)
        self.refused += sum(rates.refused.values())
        cursor = max(rates.cursor or 0, self.first)
        if self.begin is None and rates.connections:
            self.begin = self._sample(cursor)
        if self.end is None and cursor >= self.last:
            self.end = self._sample(cursor)
            self.peak_bytes = peak_bytes_of("self"), max(map(peak_bytes_of, _verifiers()))
            self.done.set()

    def _sample(self, cursor: int) -> _Sample:
        whole, reader = own_cpu_seconds("self"), own_cpu_seconds(f"self/task/{os.getpid()}")
        seconds = {
            "relay": own_cpu_seconds(self.relay_pid),
            "reader": reader,
            "verifiers": sum(map(own_cpu_seconds, _verifiers())),
            "apply": whole - reader,
            "Postgres": server_cpu_seconds(self.server),
        }
        return _Sample(time.monotonic(), cursor, seconds)


def measure_ours(server: EmbeddedPostgres, offer: Offer, batch: BatchLimits, verifiers: int) -> Figures:
    """One offer into a warehouse of its own, which has the accounts' first commits already."""
    with empty_warehouse(server) as connection, tempfile.TemporaryDirectory() as folder:
        build_indexes(connection)
        documents = (DidDocument(did, signing_key=key) for did, key in offer.keys.items())
        known = [KnownIdentity(document, datetime.now(UTC)) for document in documents]
        store_identities(connection, known, read_key_space(connection))
        first = len(offer.keys)
        with running_relay(offer.path, "--last", str(first)) as (relay, pid):
            settings = _settings(connection, relay, Path(folder), batch, verifiers)
            watching = _Watching(server, pid, 0, first, asyncio.Event())
            asyncio.run(follow(settings, watching.done, watching.report))
        connection.execute("CHECKPOINT")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is that of what follows
        with running_relay(offer.path, "--rate", str(offer.rate), "--last", str(offer.last)) as (relay, pid):
            set_cursor(connection, StreamName(relay, ENDPOINT), first)
            settings = _settings(connection, relay, Path(folder), batch, verifiers)
            watching = _Watching(server, pid, first, offer.last, asyncio.Event())
            asyncio.run(follow(settings, watching.done, watching.report))
        return _figures(offer, watching, _drifted(connection))


def _figures(offer: Offer, watching: _Watching, drifted: int) -> Figures:
    begin, end = watching.begin, watching.end
    assert begin is not None, "it was connected"
    assert end is not None, "it came to the last event"
    events = end.cursor - begin.cursor
    return Figures(
        rate=offer.rate,
        events=events,
        seconds=end.at - begin.at,
        micros={part: (end.seconds[part] - begin.seconds[part]) / events * 1e6 for part in PARTS},
        lags=dict(watching.lags),
        peak_bytes=watching.peak_bytes,
        refused=watching.refused,
        drifted=drifted,
    )


@contextmanager
def running_relay(path: Path, *options: str) -> Generator[tuple[str, int]]:
    """A relay's URL and process."""
    command = [sys.executable, "-m", "bench.firehose_relay", str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def _settings(
    connection: Connection[TupleRow], relay: str, folder: Path, batch: BatchLimits, verifiers: int
) -> FirehoseSettings:
    info = connection.info
    return FirehoseSettings(
        postgres_url=f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}",
        lake=Lake(str(folder / "lake")),
        relay=relay,
        plc_url="http://127.0.0.1:1",
        clients=ClientSettings(allow_private=True),
        verifiers=verifiers,
        consumer=ConsumerSettings(
            batch=batch, stream=StreamSettings(allow_private=True), report_seconds=_REPORT_SECONDS
        ),
    )


def _drifted(connection: psycopg.Connection[TupleRow]) -> int:
    return sum(result.drifted for result in recompute_all(connection))


def _verifiers() -> list[int]:
    """The processes in which our consumer verifies."""
    return [pid for pid in children_of(os.getpid()) if verifier_process.__name__ in command_line(pid)]
