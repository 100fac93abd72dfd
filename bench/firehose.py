"""Live events into an indexed warehouse, all checks on: `python -m bench.firehose [--seconds N] [--against official]`.

A relay replays signed events to the whole consumer: received, verified (signature and operation inversion), indexed,
counted, each batch in one transaction with the cursor. Rate 0 is as fast as they are taken. Printed for each rate:
events a second, how long after their emission events were committed, processor time of an event by part, and memory.
No event may have been refused, and the counts must equal a recomputation, or the bench fails.

`--against official` has the indexer of the official AppView take the same events as fast as it can.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.firehose_events import keys_path
from bench.firehose_official import OfficialFigures, measure_official
from bench.firehose_ours import PARTS, Figures, Offer, measure_ours
from bench.temporary_warehouse import temporary_server
from zeppelin_pipeline.firehose.consumer import BatchLimits

#: Of an offered rate, what must have been taken for it to be said to be kept up with.
KEPT_UP = 0.97


def main() -> None:
    given = _parser().parse_args()
    rates = [float(rate) for rate in given.rates.split(",")]
    with tempfile.TemporaryDirectory() as folder, temporary_server() as server:
        path = Path(folder) / "events"
        _write_events(path, given.accounts, given.events)
        keys = json.loads(keys_path(path).read_text(encoding="utf-8"))
        load = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        print(f"{given.events:,} events of {given.accounts:,} accounts; {load}", flush=True)
        batch = BatchLimits(events=given.batch_events, seconds=given.batch_seconds)
        ours: list[Figures] = []
        for rate in rates:
            events = min(given.events, int(rate * given.seconds)) if rate else given.events
            ours.append(measure_ours(server, Offer(path, keys, events, rate), batch, given.verifiers))
            _print(ours[-1])
        official: OfficialFigures | None = None
        if given.against == "official":
            events = min(given.events, given.official_events)
            official = measure_official(server, Offer(path, keys, events, 0.0))
            _print_ratio(ours, official)
    if given.json:
        given.json.write_text(json.dumps(_document(ours, official), indent=2) + "\n", encoding="utf-8")
    if any(figures.refused or figures.drifted for figures in ours):
        sys.exit("events were refused, or counts are off: the figures mean nothing")


def _write_events(path: Path, accounts: int, events: int) -> None:
    """In a process of its own, whose memory is none of the consumer's."""
    options = ["--accounts", str(accounts), "--events", str(events)]
    subprocess.run([sys.executable, "-m", "bench.firehose_events", str(path), *options], check=True)


def _print(figures: Figures) -> None:
    offered = f"{figures.rate:,.0f}" if figures.rate else "full"
    parts = ", ".join(f"{part} {figures.micros[part]:.0f}" for part in PARTS)
    kept = "" if not figures.rate or figures.events_per_second >= KEPT_UP * figures.rate else " NOT KEPT UP WITH;"
    lag = f" lag p50 {figures.lag(0.5):.2f} s, p99 {figures.lag(0.99):.2f} s;" if figures.rate else ""
    peaks = " + ".join(f"{size >> 20}" for size in figures.peak_bytes)
    print(
        f"rate {offered:>6}: {figures.events_per_second:8,.0f} events/s;{kept}{lag}"
        f" processor us/event {figures.total_micros:.0f} ({parts}); peak {peaks} MiB (consumer + verifier);"
        f" refused {figures.refused}, counts off {figures.drifted}",
        flush=True,
    )


def _print_ratio(ours: list[Figures], official: OfficialFigures) -> None:
    best = max(ours, key=lambda figures: figures.events_per_second)
    print(
        f"official   : {official.events_per_second:8,.0f} events/s; processor us/event {official.micros:.0f}"
        f" (indexer {official.indexer_micros:.0f}, Postgres {official.server_micros:.0f});"
        f" peak {official.peak_bytes >> 20} MiB; {official.records:,} records indexed\n"
        f"ratio      : {best.events_per_second / official.events_per_second:.1f} times the events a second,"
        f" {official.micros / best.total_micros:.1f} times less processor time an event",
        flush=True,
    )


def _document(ours: list[Figures], official: OfficialFigures | None) -> dict[str, Any]:
    return {"ours": [asdict(figures) for figures in ours], "official": None if official is None else asdict(official)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=40_000, help="of each rate at most, and at full rate")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each offered rate")
    parser.add_argument("--rates", default="0,1000,4000,10000")
    parser.add_argument("--verifiers", type=int, default=2)
    parser.add_argument("--batch-events", type=int, default=BatchLimits().events)
    parser.add_argument("--batch-seconds", type=float, default=BatchLimits().seconds)
    parser.add_argument("--against", choices=["official"])
    parser.add_argument("--official-events", type=int, default=5_000, help="that the official indexer is given")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    return parser


if __name__ == "__main__":
    main()
