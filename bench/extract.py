"""How fast extraction is on one core: fetched repositories to verified rows in Parquet, against decoding alone.

The base of the ratio is `libipld.decode_car` over the same CAR files: it frames and decodes every block, and checks no
hash, no tree and no signature, validates nothing and writes nothing. Each measurement is a process of its own, on one
processor, so that its peak memory is its own too; rates are by CPU time, which other programs on the machine disturb
least. The input is the devnet's mix, the same for the same options.

    python bench/extract.py --repos 400 --runs 3
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import libipld
import pyarrow as pa

from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.atproto.scan import scan_repository
from zeppelin_pipeline.devnet.model import Account, DevnetConfig
from zeppelin_pipeline.devnet.repositories import RepositoryMaker, make_repository_maker
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.pack import FETCHED, PackRow, PackWriter, pack_rows

SHARD = "bench~00000"


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="bench-extract-") as folder:
        made = apart(make_input, folder, options.repos, options.mean_records)
        print(
            f"input: {made['repositories']:,.0f} repositories, {made['records']:,.0f} records, "
            f"{made['bytes'] / 1e6:,.1f} MB of CAR; one core, medians of {options.runs}"
        )
        print(f"{'':34}{'records/s':>11}{'ratio':>7}{'MB/s':>7}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}{'at start':>9}")
        base = 0.0
        for name, measure in MEASURES.items():
            runs = [apart(measure, folder) for _ in range(options.runs)]
            cpu, wall = (statistics.median(run[key] for run in runs) for key in ("cpu_seconds", "wall_seconds"))
            base = base or cpu
            peak, start = (max(run[key] for run in runs) / 1e6 for key in ("peak_bytes", "start_bytes"))
            rates = f"{made['records'] / cpu:11,.0f}{base / cpu:7.2f}{made['bytes'] / 1e6 / cpu:7.1f}"
            print(f"{name:34}{rates}{cpu:8.2f}{wall:8.2f}{peak:9.0f}{start:9.0f}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=int, default=400, help="repositories in the shard")
    parser.add_argument("--mean-records", type=float, default=300.0, help="mean records of a repository")
    parser.add_argument("--runs", type=int, default=3, help="measurements of each, of which the median counts")
    return parser.parse_args()


def apart(function: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """What the function gives when called in a new process on one processor."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, initializer=bind_to_one_processor) as pool:
        return pool.apply(function, arguments)


def bind_to_one_processor() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def make_input(folder: str, repos: int, mean_records: float) -> dict[str, float]:
    """Writes the pack and gives its counts."""
    maker = make_repository_maker(DevnetConfig(repos=repos, mean_records=mean_records))
    writer = PackWriter(Lake(folder), SHARD)
    counts = {"repositories": 0, "records": 0, "bytes": 0}
    for account in maker.population.accounts:
        row, records = pack_row(maker, account)
        writer.add(row)
        counts["repositories"] += 1
        counts["records"] += records
        counts["bytes"] += len(row.car or b"")
    writer.flush()
    return {name: float(count) for name, count in counts.items()}


def pack_row(maker: RepositoryMaker, account: Account) -> tuple[PackRow, int]:
    """An account's repository as the fetch stores it, and how many records it has."""
    made = maker.make(account)
    key = maker.population.signing_key(account).public_key.to_multibase()
    method = {"id": f"{made.did}#atproto", "type": "Multikey", "controller": made.did, "publicKeyMultibase": key}
    document = json.dumps({"id": made.did, "verificationMethod": [method]})
    row = PackRow(made.did, "bench", made.rev, FETCHED, None, None, datetime.now(UTC), document, None, made.car)
    return row, made.records


def measure_decode_car(folder: str) -> dict[str, float]:
    cars = [bytes(row.car) for row in pack_rows(Lake(folder), SHARD) if row.car is not None]
    return timed(lambda: [libipld.decode_car(car) and None for car in cars])


def measure_open_repository(folder: str) -> dict[str, float]:
    cars = [bytes(row.car) for row in pack_rows(Lake(folder), SHARD) if row.car is not None]
    return timed(lambda: [open_repository(car) and None for car in cars])


def measure_scan_repository(folder: str) -> dict[str, float]:
    cars = [bytes(row.car) for row in pack_rows(Lake(folder), SHARD) if row.car is not None]
    scan_repository(cars[0])  # reads the kernels' machine code, or makes it
    return timed(lambda: [scan_repository(car) and None for car in cars])


def measure_extraction(folder: str) -> dict[str, float]:
    lake = Lake(folder)
    for path in lake.list("batches"):
        lake.delete(path)
    return timed(lambda: extract_shard(lake, SHARD))


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds that the work took, and the process's peak memory at its start (input, imports) and at its end."""
    start_bytes = peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "start_bytes": start_bytes,
        "peak_bytes": peak_bytes(),
    }


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


MEASURES: dict[str, Callable[[str], dict[str, float]]] = {
    "libipld.decode_car (base)": measure_decode_car,
    "open_repository (hashes, tree)": measure_open_repository,
    "scan_repository (same, kernels)": measure_scan_repository,
    "extract_shard (all, to Parquet)": measure_extraction,
}

if __name__ == "__main__":
    main()
