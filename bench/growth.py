"""Whether loads keep their rate as the warehouse grows: `python -m bench.growth --records 20000000`.

A shard is loaded into an empty warehouse and into a large one: without indexes, as in the first bulk load, and with
them, as ever after. Each ratio is of the same work in the same run; that of processor time (ours and the server's)
holds on a machine that does other things too.
"""

import argparse
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.rows import TupleRow

from bench.stage_cost import Stage, median_of, watch
from bench.synthetic_shards import synthetic_shard
from bench.temporary_warehouse import empty_warehouse, temporary_server
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres, server_settings
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.load import load_shard

#: The ratio of rates that must be kept.
KEPT = 0.8
#: Records of a shard that only fills the warehouse.
FILLER_RECORDS = 500_000
#: Probes have repositories of their own.
FIRST_PROBE = 1_000


def main() -> None:
    options = _parser().parse_args()
    with temporary_server(server_settings(options.shared_buffers << 20)) as server:
        load_shard_once(server)
        small = _probes(server, options, records=0)
        large = _probes(server, options, records=options.records)
    title = f"a shard of {options.shard:,} records"
    print(f"{title:<34} {'rows/s':>10} {'client µs':>10} {'server µs':>10}")
    for stage in (*small, *large):
        micros = (stage.cpu_seconds / stage.records * 1e6, stage.server_cpu_seconds / stage.records * 1e6)
        print(f"{stage.name:<34} {stage.records_per_second:>10,.0f} {micros[0]:>10.2f} {micros[1]:>10.2f}")
    for kind, before, after in zip(("without indexes", "with indexes"), small, large, strict=True):
        by_clock = after.records_per_second / before.records_per_second
        by_cpu = before.micros_per_record / after.micros_per_record
        ratios = f"{by_clock:.2f} by the clock, {by_cpu:.2f} by processor time"
        print(f"{kind}: {options.records:,} records / empty: {ratios} (at least {KEPT})")


def load_shard_once(server: EmbeddedPostgres) -> None:
    """Kernels are compiled, and libraries loaded, before anything is measured."""
    with empty_warehouse(server) as connection:
        load_shard(connection, synthetic_shard(0, records=1_000, repositories=10, accounts=100))


def _probes(server: EmbeddedPostgres, options: argparse.Namespace, *, records: int) -> tuple[Stage, Stage]:
    """Loads without and with indexes, into a warehouse of so many records."""
    name = f"{records:,} records" if records else "empty"
    with empty_warehouse(server) as connection:
        for filler in _fillers(options, records):
            load_shard(connection, filler)
        bare = _loaded(server, connection, options, f"{name}, no indexes", FIRST_PROBE)
        build_indexes(connection)
        indexed = _loaded(server, connection, options, f"{name}, indexes", FIRST_PROBE + options.repeats)
    return bare, indexed


def _fillers(options: argparse.Namespace, records: int) -> Iterator[ShardBatches]:
    for number, begin in enumerate(range(0, records, FILLER_RECORDS)):
        yield _shard(options, number, min(FILLER_RECORDS, records - begin))


def _loaded(
    server: EmbeddedPostgres, connection: Connection[TupleRow], options: argparse.Namespace, name: str, first: int
) -> Stage:
    """The median of several shards; what they add is little beside a large warehouse."""
    stages: list[Stage] = []
    for number in range(first, first + options.repeats):
        shard = _shard(options, number, options.shard)
        connection.execute("CHECKPOINT")
        with watch(server) as clock, _own_time() as own:
            result = load_shard(connection, shard)
        if result.copied != shard.entries:
            raise AssertionError(f"{result.copied} rows of {shard.entries} were loaded")
        clock.add_process(own[0], 0)
        stages.append(clock.stage(name, shard.entries, 1))
    return median_of(stages)


def _shard(options: argparse.Namespace, number: int, records: int) -> ShardBatches:
    repositories = FILLER_RECORDS // options.records_of_repository
    return synthetic_shard(number, records=records, repositories=repositories, accounts=options.accounts)


@contextmanager
def _own_time() -> Generator[list[float]]:
    """The processor time of this process in the block, once it has ended."""
    taken = [0.0]
    begun = time.process_time()
    yield taken
    taken[0] = time.process_time() - begun


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000, help="in the large warehouse")
    parser.add_argument("--shard", type=int, default=200_000, help="records of a shard whose load is measured")
    parser.add_argument("--records-of-repository", type=int, default=500)
    parser.add_argument("--accounts", type=int, default=100_000, help="that records speak of")
    parser.add_argument("--shared-buffers", type=int, default=512, help="MiB of pages that the server keeps")
    parser.add_argument("--repeats", type=int, default=3)
    return parser


if __name__ == "__main__":
    main()
