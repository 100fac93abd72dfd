"""Rows a second of a shard's load, against plain binary COPY of the same rows: `python -m bench.load`.

The base is what no load can beat: the same Arrow rows, their keys computed before, copied into the same tables by the
same encoder in one transaction. The load adds the keys, the dictionaries, the rev rule, the accounts and the ledger.
"""

import argparse
import statistics
import time

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from bench.synthetic_shards import synthetic_shard
from bench.temporary_warehouse import empty_warehouse, temporary_server
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.tables import TABLES


def main() -> None:
    options = _parser().parse_args()
    shape = {"records": options.rows, "repositories": options.repositories, "accounts": options.accounts}
    first, second = (synthetic_shard(number, **shape) for number in range(2))
    loads, later_loads, copies = [], [], []
    with temporary_server() as server:
        for _ in range(options.repeats):
            copies.append(_seconds_of_copy(server, first))
            one, two = _seconds_of_loads(server, first, second)
            loads.append(one)
            later_loads.append(two)
    base = _report("plain COPY of keyed rows", first.entries, copies)
    load = _report("load of a first shard", first.entries, loads)
    later = _report("load of a second shard", second.entries, later_loads)
    print(f"load / plain COPY: {load / base:.2f} (first shard), {later / base:.2f} (second: its accounts are known)")


def _seconds_of_copy(server: EmbeddedPostgres, shard: ShardBatches) -> float:
    with empty_warehouse(server) as connection:
        keyed = _keyed(connection, shard)
        started = time.perf_counter()
        with connection.transaction():
            for table, batches in keyed.items():
                copy_batches(connection, table, batches)
        return time.perf_counter() - started


def _keyed(connection: Connection[TupleRow], shard: ShardBatches) -> dict[str, list[pa.RecordBatch]]:
    keys = BatchKeys(read_key_space(connection))
    return {
        table.table: [table.to_rows(batch, keys) for batch in shard.read(dataset, None)]
        for dataset, table in TABLES.items()
    }


def _seconds_of_loads(server: EmbeddedPostgres, *shards: ShardBatches) -> list[float]:
    with empty_warehouse(server) as connection:
        seconds = []
        for shard in shards:
            result = load_shard(connection, shard)
            if result.copied != shard.entries:
                raise AssertionError(f"{result.copied} rows of {shard.entries} were loaded")
            seconds.append(result.seconds)
    return seconds


def _report(name: str, rows: int, seconds: list[float]) -> float:
    rates = sorted(rows / each for each in seconds)
    median = statistics.median(rates)
    print(
        f"{name:<26} {median:>10,.0f} rows/s  ({rates[0]:,.0f} to {rates[-1]:,.0f}; {rows:,} rows, {len(rates)} runs)"
    )
    return median


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repositories", type=int, default=2_000)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    return parser


if __name__ == "__main__":
    main()
