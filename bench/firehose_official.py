"""The official AppView's indexer, from npm, over the same live events into its own schema, as fast as it can.

It is one process, as its authors run it, and checks neither signatures nor trees. Its best case: whose account it is,
and its handle, are known to it without asking anybody.
"""

import json
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.firehose_ours import Offer, running_relay
from bench.stage_cost import server_cpu_seconds
from bench.temporary_warehouse import empty_database
from tests.network.node import NODE, PACKAGE, install_packages, node_environment
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

_STOP_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class OfficialFigures:
    """What it came to; microseconds are of one processor for an event.

    Attributes:
        events: that were measured.
        seconds: that they took.
        indexer_micros: of its process.
        server_micros: of Postgres.
        peak_bytes: resident memory at its highest.
        records: that it holds in the end, the accounts' first ones included.
    """

    events: int
    seconds: float
    indexer_micros: float
    server_micros: float
    peak_bytes: int
    records: int

    @property
    def events_per_second(self) -> float:
        """That were indexed."""
        return self.events / self.seconds

    @property
    def micros(self) -> float:
        """Of both."""
        return self.indexer_micros + self.server_micros


def measure_official(server: EmbeddedPostgres, offer: Offer) -> OfficialFigures:
    """Has it take the accounts' first commits, then the events behind them, which are measured."""
    install_packages()
    first = len(offer.keys)
    with ExitStack() as stack:
        url = stack.enter_context(empty_database(server))
        log = stack.enter_context(tempfile.TemporaryFile())
        process = stack.enter_context(
            subprocess.Popen(
                [NODE, "--no-deprecation", "indexer.mjs"],
                cwd=PACKAGE,
                env={**node_environment(), "DB_POSTGRES_URL": url, "LOG_ENABLED": "false"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        )
        stack.callback(_end, process)
        _hear(process, log)
        _follow(process, log, offer.path, 1, first)
        before = server_cpu_seconds(server)
        told = _follow(process, log, offer.path, first + 1, offer.last)
        server_seconds = server_cpu_seconds(server) - before
    return OfficialFigures(
        events=offer.events,
        seconds=told["seconds"],
        indexer_micros=told["cpu_seconds"] / offer.events * 1e6,
        server_micros=server_seconds / offer.events * 1e6,
        peak_bytes=told["peak_bytes"],
        records=told["records"],
    )


def _follow(process: subprocess.Popen[str], log: Any, path: Path, first: int, last: int) -> dict[str, Any]:
    with running_relay(path, "--first", str(first), "--last", str(last)) as (relay, _):
        assert process.stdin is not None
        process.stdin.write(json.dumps({"relay": relay, "last": last}) + "\n")
        process.stdin.flush()
        return _hear(process, log)


def _hear(process: subprocess.Popen[str], log: Any) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        log.seek(0)
        raise AssertionError(f"the official indexer ended:\n{log.read().decode()}")
    return json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
