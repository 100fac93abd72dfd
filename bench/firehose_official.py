"""The official AppView's indexer, from npm, over the same live events into its own schema, as fast as it can.

It is one process, as its authors run it, and checks neither signatures nor trees. Its best case: whose account it is,
and its handle, are known to it without asking anybody, all actors are there before the clock starts, and records of a
part of them: it takes 1.5 ms for each, and so minutes for all.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.firehose_events import read_events, write_frames
from bench.firehose_ours import Offer, running_relay
from bench.stage_cost import server_cpu_seconds
from bench.temporary_warehouse import empty_database
from tests.network.node import NODE, PACKAGE, install_packages, node_environment
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

_STOP_SECONDS: Final = 30
#: Accounts whose first commits it is given, of 100 records each; of all others it is told that they are.
_FILLED_ACCOUNTS: Final = 50


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


class _Indexer:
    """The process, asked and heard over its pipes; what it logs is shown when it fails."""

    def __init__(self, url: str, folder: Path) -> None:
        self._log = folder / "indexer.log"
        logging = {"LOG_ENABLED": "true", "LOG_LEVEL": "error", "LOG_DESTINATION": str(self._log)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [NODE, "--no-deprecation", "indexer.mjs"],
                cwd=PACKAGE,
                env={**node_environment(), **logging, "DB_POSTGRES_URL": url},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def hear(self, what: str = "starting") -> dict[str, Any]:
        """Its next answer; what it says until then is told.

        Raises:
            AssertionError: it ended, as it does when nothing moves for a minute.
        """
        assert self._process.stdout is not None, "it was started with a pipe"
        started = time.monotonic()
        for line in self._process.stdout:
            told = json.loads(line)
            if told.keys() != {"dealt"}:
                return told
            _tell(f"{what}: {told['dealt']:,} operations in {time.monotonic() - started:.0f} s")
        raise AssertionError(f"the official indexer ended, {what}:\n{self._log.read_text(encoding='utf-8')[-5_000:]}")

    def follow(self, what: str, path: Path, first: int, last: int) -> dict[str, Any]:
        """Has it follow a relay from one event to another."""
        assert self._process.stdin is not None, "it was started with a pipe"
        with running_relay(path, "--first", str(first), "--last", str(last)) as (relay, _):
            self._process.stdin.write(json.dumps({"relay": relay, "last": last}) + "\n")
            self._process.stdin.flush()
            return self.hear(what)

    def end(self) -> None:
        """Lets it end, or makes it."""
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def measure_official(server: EmbeddedPostgres, offer: Offer) -> OfficialFigures:
    """Has it take what was there before the events, then the events, which are measured."""
    _tell("installing the npm packages, which takes minutes once")
    install_packages()
    first = len(offer.keys)
    with ExitStack() as stack:
        url = stack.enter_context(empty_database(server))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = folder / "events"
        write_frames(path, _frames(offer))
        indexer = _Indexer(url, folder)
        stack.callback(indexer.end)
        indexer.hear()
        indexer.follow("what was there before", path, 1, first)
        before = server_cpu_seconds(server)
        told = indexer.follow(f"{offer.events:,} events", path, first + 1, offer.last)
        server_seconds = server_cpu_seconds(server) - before
    return OfficialFigures(
        events=offer.events,
        seconds=told["seconds"],
        indexer_micros=told["cpu_seconds"] / offer.events * 1e6,
        server_micros=server_seconds / offer.events * 1e6,
        peak_bytes=told["peak_bytes"],
        records=told["records"],
    )


def _frames(offer: Offer) -> Iterator[bytes]:
    """The events of an offer, with most accounts' first commits replaced by word that there is such an account."""
    dids, now = list(offer.keys), format_datetime(time.time_ns() // 1_000_000 * 1000)
    for place, frame in enumerate(islice(read_events(offer.path), offer.last)):
        if _FILLED_ACCOUNTS <= place < len(dids):
            yield encode_frame(1, "#identity", {"seq": place + 1, "did": dids[place], "time": now})
        else:
            yield frame


def _tell(text: str) -> None:
    print(f"official   : {text}", file=sys.stderr, flush=True)
