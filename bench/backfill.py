"""The whole way from CAR files on disk to an indexed warehouse: each stage's rate, processor time, memory and bytes.

    python -m bench.backfill [--against zeppelin] [--json FILE]

The input is the devnet's mix, the same for the same options, kept under `bench/out/`. Our fetched repositories lie in
packs, as the fetch leaves them; reading them is part of extraction. The end-to-end rate is records by the wall time
from the first byte read to the last index standing; the counts come after it, at base rows a second. `--against
zeppelin` runs Zeppelin's own npm package on Bun over the same repositories, on the same server, and prints the ratios
to the better of its runs (two processes, and three). All figures are medians of the runs, peaks their highest; the runs
of both sides alternate, so that a busy machine slows both alike.
"""

import argparse
import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.backfill_input import BackfillInput, make_input
from bench.backfill_ours import END_TO_END, EXTRACT, OurRun, Processes, run_ours
from bench.backfill_zeppelin import PARSE, ZeppelinRun, install_zeppelin, run_zeppelin
from bench.sizes import RelationSize, print_sizes
from bench.stage_cost import Stage, median_of
from bench.temporary_warehouse import temporary_server
from zeppelin_pipeline.devnet.model import DevnetConfig

ZEPPELIN_PROCESSES = (2, 3)
#: Repositories for each worker to begin with.
SMALL_REPOS = 25


@dataclass(frozen=True, slots=True)
class Side:
    """One side's medians.

    Attributes:
        name: whose.
        stages: by their names, in order.
        sizes: of the last run's tables and indexes.
        stored: records that these hold.
        start_seconds: of processor time that a process took before the clocks started; null where it is not known.
    """

    name: str
    stages: dict[str, Stage]
    sizes: tuple[RelationSize, ...]
    stored: int
    start_seconds: float | None = None

    @property
    def bytes_per_record(self) -> float:
        """Of all tables and indexes."""
        return sum(size.bytes for size in self.sizes) / self.stored

    def to_json(self) -> dict[str, Any]:
        """All of it, with rates."""
        return {
            "name": self.name,
            "stages": [stage.to_json() for stage in self.stages.values()],
            "stored": self.stored,
            "start_cpu_seconds": self.start_seconds,
            "bytes_per_record": self.bytes_per_record,
            "relations": [asdict(size) for size in self.sizes],
        }


def main() -> None:
    options = parse_options()
    made = _input_of(options, options.repos, options.shards)
    ours, theirs = measure(options, made)
    print_report(made, ours, theirs, options.runs)
    if options.json:
        options.json.write_text(json.dumps(to_json(options, made, ours, theirs), indent=2) + "\n", encoding="utf-8")


def _input_of(options: argparse.Namespace, repos: int, shards: int) -> BackfillInput:
    return make_input(DevnetConfig(repos=repos, mean_records=options.mean_records, seed=options.seed), shards)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=int, default=1_000)
    parser.add_argument("--mean-records", type=float, default=320.0, help="mean records of a repository")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1, help="of the devnet")
    parser.add_argument("--runs", type=int, default=3, help="of which the medians count")
    parser.add_argument("--extract-processes", type=int, default=2)
    parser.add_argument("--load-processes", type=int, default=2)
    parser.add_argument("--count-processes", type=int, default=2)
    parser.add_argument(
        "--end-to-end-processes", type=int, default=3, help="each takes one shard after another in whole"
    )
    parser.add_argument("--against", choices=["zeppelin"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser.parse_args()


def measure(options: argparse.Namespace, made: BackfillInput) -> tuple[Side, list[Side]]:
    """Our side, and Zeppelin's with each number of processes when it was asked for."""
    processes = Processes(
        options.extract_processes, options.load_processes, options.count_processes, options.end_to_end_processes
    )
    most = max(processes.extract, processes.load, processes.count, processes.end_to_end)
    small = _input_of(options, most * SMALL_REPOS, most)
    against = ZEPPELIN_PROCESSES if options.against else ()
    if against:
        install_zeppelin()
    our_runs: list[OurRun] = []
    their_runs: dict[int, list[ZeppelinRun]] = {number: [] for number in against}
    with temporary_server() as server:
        for _ in range(options.runs):
            our_runs.append(run_ours(server, made, small, processes))
            for number in against:
                their_runs[number].append(run_zeppelin(server, made, number))
    start_seconds = statistics.median(run.start_seconds for run in our_runs)
    ours = Side("ours", _medians([run.stages for run in our_runs]), our_runs[-1].sizes, made.records, start_seconds)
    return ours, [
        Side(f"Zeppelin, processes: {number}", _medians([run.stages for run in runs]), runs[-1].sizes, runs[-1].written)
        for number, runs in their_runs.items()
    ]


def _medians(runs: list[tuple[Stage, ...]]) -> dict[str, Stage]:
    return {stages[0].name: median_of(list(stages)) for stages in zip(*runs, strict=True)}


def print_report(made: BackfillInput, ours: Side, theirs: list[Side], runs: int) -> None:
    print(
        f"input: {made.repositories:,} repositories, {made.records:,} records, {made.car_bytes / 1e6:,.1f} MB of CAR, "
        f"{len(made.shards)} shards; {os.cpu_count()} processors, medians of {runs} runs"
    )
    header = (
        f"{'':<14}{'processes':>10}{'records/s':>11}{'wall s':>8}{'CPU s':>8}{'Postgres CPU s':>16}{'µs/record':>11}"
    )
    for side in (ours, *theirs):
        print(f"\n{side.name}\n{header}{'peak MB':>9}{'Postgres MB':>13}")
        for stage in side.stages.values():
            print(_line(stage))
        if side.start_seconds is not None:
            print(f"before the clocks start, a process takes {side.start_seconds:.2f} s of processor time")
        print(f"bytes a record: {side.bytes_per_record:,.1f} ({side.stored:,} records stored)")
    print()
    print_sizes(list(ours.sizes), ours.stored)
    for name, ratio in ratios(ours, theirs).items():
        print(f"{name:<66}{ratio:>8.2f}")


def _line(stage: Stage) -> str:
    seconds = f"{stage.wall_seconds:>8.2f}{stage.cpu_seconds:>8.2f}{stage.server_cpu_seconds:>16.2f}"
    memory = f"{stage.peak_bytes / 1e6:>9.0f}{stage.server_peak_bytes / 1e6:>13.0f}"
    rate = f"{stage.name:<14}{stage.processes:>10}{stage.records_per_second:>11,.0f}"
    return f"{rate}{seconds}{stage.micros_per_record:>11.1f}{memory}"


def ratios(ours: Side, theirs: list[Side]) -> dict[str, float]:
    """How many times as good we are as the best of Zeppelin's runs in each respect; empty when it did not run."""
    if not theirs:
        return {}
    whole = [side.stages[END_TO_END] for side in theirs]
    parse = max(side.stages[PARSE].records_per_second for side in theirs)
    our_whole = ours.stages[END_TO_END]
    return {
        "records a second, end to end": our_whole.records_per_second / max(each.records_per_second for each in whole),
        "processor time a record, end to end": min(each.micros_per_record for each in whole)
        / our_whole.micros_per_record,
        "verified extraction against parsing alone": ours.stages[EXTRACT].records_per_second / parse,
        "bytes a record": min(side.bytes_per_record for side in theirs) / ours.bytes_per_record,
    }


def to_json(options: argparse.Namespace, made: BackfillInput, ours: Side, theirs: list[Side]) -> dict[str, Any]:
    """All figures of the report, and what they were made from."""
    asked = {name: value for name, value in vars(options).items() if name != "json"}
    size = {"repositories": made.repositories, "records": made.records, "car_bytes": made.car_bytes}
    return {
        "options": asked,
        "input": size,
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "ours": ours.to_json(),
        "zeppelin": [side.to_json() for side in theirs],
        "ratios": ratios(ours, theirs),
    }


if __name__ == "__main__":
    main()
