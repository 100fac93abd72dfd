"""Where extraction puts its rows: one Parquet file a dataset, memory bounded by limits. Nothing is verified here.

Repositories wait until there are enough to be copied together, then records until there are enough of a collection to
be read together, then rows until there are enough for a row group. Each wait ends by number or by bytes, so memory does
not grow with the shard or with a repository.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa

from zeppelin_pipeline.atproto.scan import ScannedRepository
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.encoding import record_encoding
from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.lake.store import FileStats, Lake, LakeWriter
from zeppelin_pipeline.records.gathering import Gathering, parts_within
from zeppelin_pipeline.records.pending import Pending, Source
from zeppelin_pipeline.records.sorting import read_pending
from zeppelin_pipeline.records.whole import Fault, rejections


@dataclass(frozen=True, slots=True)
class Limits:
    """When what waits is handed on, whichever comes first.

    Attributes:
        pending_records: of one dataset, before they are read; of repositories together, before they are copied.
        pending_bytes: of their blocks; of the repositories' CARs.
        group_rows: of one dataset, before they are written as a row group.
        group_bytes: of their columns.
    """

    pending_records: int = 16_384
    pending_bytes: int = 8 << 20
    group_rows: int = 131_072
    group_bytes: int = 16 << 20


DEFAULT_LIMITS: Final = Limits()


class ExtractOutput:
    """The files of one shard's extraction. Leaving the `with` without `commit` leaves no file.

    Attributes:
        rejected: records set aside, by reason; of repositories and of single records.
    """

    def __init__(self, lake: Lake, shard: str, fingerprint: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.rejected: Counter[str] = Counter()
        self._limits = limits
        self._gathering = Gathering()
        self._pending: dict[str, Pending] = {}
        self._datasets = {
            dataset: _Dataset(lake, layout.batch(dataset, shard, fingerprint), schema, limits)
            for dataset, schema in RECORD_DATASETS.items()
        }
        self._open = ExitStack()
        for dataset in self._datasets.values():
            self._open.callback(dataset.abort)

    def add_records(self, source: Source, repository: ScannedRepository) -> None:
        """Takes a repository's records; one that is beyond the limits alone is handed on before this returns."""
        entries = self._gathering.entries + len(repository)
        size_bytes = self._gathering.size_bytes + len(repository.data)
        if entries > self._limits.pending_records or size_bytes > self._limits.pending_bytes:
            self._hand_on()
        self._gathering.add(source, repository)
        if len(repository.data) > self._limits.pending_bytes:
            self._hand_on()

    def _hand_on(self) -> None:
        """Copies what was gathered to where it waits by collection, in parts that keep within the limits."""
        gathering, self._gathering = self._gathering, Gathering()
        if not gathering.entries:
            return
        limits, entries = self._limits, gathering.join()
        for key, runs in gathering.runs().items():
            for part in parts_within(gathering, runs, limits.pending_records, limits.pending_bytes):
                pending = self._pending.setdefault(key, Pending())
                entries.copy_to(pending, part)
                if len(pending) >= limits.pending_records or pending.size_bytes >= limits.pending_bytes:
                    self._read(key)

    def add_repo(self, row: dict[str, Any]) -> None:
        """Takes a repository's row of the dataset `repo`."""
        self._datasets["repo"].add_row(row)

    def add_rejected_repository(self, row: dict[str, Any]) -> None:
        """Takes a row of the dataset `rejected`, scope repository."""
        self.rejected[row["reason"]] += row["records"]
        self._datasets["rejected"].add_row(row)

    def keep(self, dataset: str, batch: pa.RecordBatch) -> None:
        """Takes rows of a dataset that an earlier extraction made, before any others of that dataset."""
        self._datasets[dataset].add(batch)

    def commit(self) -> dict[str, FileStats]:
        """Reads and writes what waits and makes the files durable; gives them by dataset, without the empty ones."""
        self._hand_on()
        for key in sorted(self._pending):
            self._read(key)
        for dataset in self._datasets.values():
            dataset.flush()
        # To make a file durable is to wait for the disk; all of them at once wait little longer than one.
        with ThreadPoolExecutor(len(self._datasets), "commit") as pool:
            files = list(pool.map(_Dataset.commit, self._datasets.values()))
        return {name: file for name, file in zip(self._datasets, files, strict=True) if file is not None}

    def _read(self, key: str) -> None:
        pending = self._pending.pop(key)
        read = read_pending(key, pending)
        for dataset, rows in read.rows:
            self._datasets[dataset].add(rows)
        if read.faults:
            self._count(pending, read.faults)

    def _count(self, pending: Pending, faults: Sequence[Fault]) -> None:
        self.rejected.update(fault.reason for fault in faults)
        self._datasets["rejected"].add(rejections(pending, faults))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()


_ROWS_TO_A_BATCH: Final = 1024


class _Dataset:
    """One dataset's rows on their way into its file, which is opened with the first row group."""

    def __init__(self, lake: Lake, path: str, schema: pa.Schema, limits: Limits) -> None:
        self._lake = lake
        self._path = path
        self._schema = schema
        self._limits = limits
        self._writer: LakeWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []
        self._count = 0
        self._bytes = 0

    def add_row(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _ROWS_TO_A_BATCH:
            self._batch_rows()

    def add(self, batch: pa.RecordBatch) -> None:
        self._batch_rows()
        self._batches.append(batch)
        self._count += batch.num_rows
        self._bytes += batch.nbytes
        if self._count >= self._limits.group_rows or self._bytes >= self._limits.group_bytes:
            self._write_group()

    def flush(self) -> None:
        self._batch_rows()
        self._write_group()

    def commit(self) -> FileStats | None:
        return self._writer.commit() if self._writer else None

    def abort(self) -> None:
        if self._writer:
            self._writer.abort()

    def _batch_rows(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self.add(pa.RecordBatch.from_pylist(rows, schema=self._schema))

    def _write_group(self) -> None:
        if not self._count:
            return
        if self._writer is None:
            self._writer = self._lake.open_writer(self._path, self._schema, encoding=record_encoding(self._schema))
        self._writer.write_table(pa.Table.from_batches(self._batches, self._schema).unify_dictionaries())
        self._batches = []
        self._count = self._bytes = 0
