"""Our whole way from packs to counts, as the backfill bench runs it: which process does what, what each stage costs.

Workers are started, and have taken in a small shard of another lake into another warehouse, before a stage's clock
starts: so they have imported what they need and read the machine code of the compiled loops, as the other side's
processes have. What that start costs is told by itself. The way to indexes is measured a second time in a new
warehouse, from end to end: each worker takes a shard in whole, extracting and loading it, so that one shard loads while
another is extracted.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

from bench.backfill_input import BackfillInput
from bench.sizes import RelationSize, relation_sizes
from bench.stage_cost import Stage, Watch, peak_bytes_of, watch
from bench.temporary_warehouse import empty_database
from zeppelin_pipeline.aggregates.counts import AGGREGATES, RANGES_OF_A_RUN, recompute_ranges
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.load import load_shard_batches
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.key_ranges import range_names
from zeppelin_pipeline.warehouse.migrations import migrate

APPLICATION = "bench backfill"
#: The stages of a run, in order; the last is the whole way to indexes again.
EXTRACT, LOAD, INDEXES, COUNTS, END_TO_END = "extract", "load", "indexes", "counts", "end to end"

Task = Callable[[], int]
"""Says when it is done on how many records it worked: base rows, when it counted."""


@dataclass(frozen=True, slots=True)
class Processes:
    """How many work side by side: at extraction, at loading, at counting, and when shards are taken in whole.

    Of the last one more than processors, as a load's process mostly waits for the server's, and both for the disk.
    """

    extract: int = 2
    load: int = 2
    count: int = 2
    end_to_end: int = 3


@dataclass(frozen=True, slots=True)
class OurRun:
    """One run.

    Attributes:
        stages: in their order.
        sizes: what the warehouse takes of the disk, counts included.
        start_seconds: of processor time that the start of a worker took, which no stage is charged with.
    """

    stages: tuple[Stage, ...]
    sizes: tuple[RelationSize, ...]
    start_seconds: float


def run_ours(server: EmbeddedPostgres, made: BackfillInput, small: BackfillInput, processes: Processes) -> OurRun:
    """Each stage alone, one after the other; then the whole from end to end in another warehouse.

    Args:
        server: where the warehouses are made.
        made: what is taken in.
        small: what workers begin with; it has a shard for each.
        processes: of each stage.

    Raises:
        AssertionError: not every record of the input came through.
    """
    bench = _Bench(server, small)
    with _place(server, made) as (lake, url):
        stages = [
            bench.stage(EXTRACT, processes.extract, [partial(_extract, lake, shard) for shard in made.shards]),
            bench.stage(LOAD, processes.load, [partial(_load, lake, url, shard) for shard in made.shards]),
            bench.stage(INDEXES, 1, [partial(_build_indexes, url, made.records)]),
            bench.stage(COUNTS, processes.count, list(_counts(url))),
        ]
        sizes = _sizes(url)
    with _place(server, made) as (lake, url):
        whole = [partial(_take_in, lake, url, shard) for shard in made.shards]
        build = partial(_build_indexes, url, made.records)
        stages.append(bench.stage(END_TO_END, processes.end_to_end, whole, [build]))
    for stage in stages:
        if stage.name != COUNTS and stage.records != made.records:
            raise AssertionError(f"{stage.name}: {stage.records} records of {made.records} came through")
    return OurRun(tuple(stages), tuple(sizes), max(bench.start_seconds))


@contextmanager
def _place(server: EmbeddedPostgres, made: BackfillInput) -> Generator[tuple[str, str]]:
    """A lake with the input's packs and nothing else, and an empty warehouse: their URLs."""
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=made.folder.parent) as folder,
        empty_database(server) as url,
    ):
        lake = Path(folder) / "lake"
        made.link_packs(lake)
        migrate(url)
        yield str(lake), url


class _Bench:
    """Runs stages by workers that have begun.

    Attributes:
        start_seconds: of processor time, of each worker so far.
    """

    def __init__(self, server: EmbeddedPostgres, small: BackfillInput) -> None:
        self.start_seconds: list[float] = []
        self._server = server
        self._small = small

    def stage(self, name: str, processes: int, *steps: list[Task]) -> Stage:
        """Runs one step's tasks side by side, then the next step's; the stage's records are the first step's."""
        with self._workers(processes) as workers, watch(self._server) as spent:
            records, *_ = [_run(workers, tasks, spent) for tasks in steps]
        return spent.stage(name, records, processes)

    @contextmanager
    def _workers(self, processes: int) -> Generator[ProcessPoolExecutor]:
        if len(self._small.shards) < processes:
            raise ValueError(f"{processes} workers begin with {len(self._small.shards)} shards: one for each is needed")
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(processes)
        with (
            _place(self._server, self._small) as (lake, url),
            ProcessPoolExecutor(processes, context, initializer=_start_worker, initargs=(barrier,)) as workers,
        ):
            begun = [workers.submit(_begin, lake, url, shard) for shard in self._small.shards[:processes]]
            self.start_seconds += [future.result() for future in begun]
            yield workers


def _run(workers: ProcessPoolExecutor, tasks: Iterable[Task], spent: Watch) -> int:
    """Runs the tasks in their order, charges what they use, and gives the sum of their records."""
    records = 0
    for done in workers.map(_measure, tasks):
        records += done.records
        spent.add_process(done.cpu_seconds, done.peak_bytes)
    return records


@dataclass(frozen=True, slots=True)
class _Done:
    """What a worker tells of one task: its result, its processor time, and the worker's peak of memory so far."""

    records: int
    cpu_seconds: float
    peak_bytes: int


_barriers: list[Barrier] = []


def _start_worker(barrier: Barrier) -> None:
    _barriers.append(barrier)


def _begin(lake: str, url: str, shard: str) -> float:
    """Takes in a small shard, once all workers are here: only so each of them takes one. Gives its processor time."""
    _barriers[0].wait()
    _take_in(lake, url, shard)
    return time.process_time()


def _measure(task: Task) -> _Done:
    started = time.process_time()
    records = task()
    return _Done(records, time.process_time() - started, peak_bytes_of("self"))


def _extract(lake: str, shard: str) -> int:
    return extract_shard(Lake(lake), shard).entries


def _load(lake: str, url: str, shard: str) -> int:
    with connect(url, application=APPLICATION, autocommit=True) as connection:
        return load_shard_batches(connection, Lake(lake), shard).copied


def _take_in(lake: str, url: str, shard: str) -> int:
    _extract(lake, shard)
    return _load(lake, url, shard)


def _build_indexes(url: str, records: int) -> int:
    """Gives back the number of records, which all are in the indexes."""
    with connect(url, application=APPLICATION, autocommit=True) as connection:
        build_indexes(connection)
    return records


def _counts(url: str) -> Iterator[Task]:
    """As the scheduled runs: some ranges of one aggregate each."""
    names = range_names()
    for aggregate in AGGREGATES:
        for first in range(0, len(names), RANGES_OF_A_RUN):
            yield partial(_count, url, aggregate, names[first : first + RANGES_OF_A_RUN])


def _count(url: str, aggregate: str, key_ranges: Sequence[str]) -> int:
    with connect(url, application=APPLICATION, autocommit=True) as connection:
        return sum(result.base_rows for result in recompute_ranges(connection, aggregate, key_ranges))


def _sizes(url: str) -> list[RelationSize]:
    with connect(url, application=APPLICATION, autocommit=True) as connection:
        return relation_sizes(connection)
