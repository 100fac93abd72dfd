"""Hands a shard's batches from the lake to the warehouse: which files count, and how they are streamed."""

import json
from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.working_memory import working_memory
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.load import LoadResult, load_shard

#: Rows read and encoded at once. COPY gains nothing from more, and memory is a batch and its binary form. A batch never
#: spans row groups, whose bytes extraction bounds.
BATCH_ROWS: Final = 65_536


def load_shard_batches(
    connection: Connection[TupleRow],
    lake: Lake,
    shard: str,
    *,
    anew: bool = False,
    report: Callable[[str, int], None] | None = None,
) -> LoadResult:
    """Load what extraction made of a shard; a no-op when it is in already, unless it is to be compared `anew`.

    Raises:
        CorruptStateError: the shard was not extracted yet, or a file that its list names is not as listed.
    """
    with working_memory():
        return load_shard(connection, read_batches(lake, shard), anew=anew, report=report)


def batch_bytes(lake: Lake, shard: str) -> int:
    """Bytes of the Parquet files that a shard is loaded from."""
    with lake.open_parquet(layout.batch_ledger(shard)) as file:
        return sum(file.read(columns=["bytes"]).column(0).to_pylist())


def read_batches(lake: Lake, shard: str) -> ShardBatches:
    """The shard's batches as its list of files names them."""
    path = layout.batch_ledger(shard)
    if not lake.exists(path):
        raise CorruptStateError(f"shard {shard} has no batches yet: materialize record_batches first")
    with lake.open_parquet(path) as file:
        files = {row["dataset"]: row["path"] for row in file.read().to_pylist()}
    metadata = lake.read_metadata(path)

    def read(dataset: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        if dataset in files:
            with lake.open_parquet(files[dataset]) as opened:
                for group in range(opened.num_row_groups):
                    yield from opened.iter_batches(BATCH_ROWS, [group], columns, use_threads=False)

    return ShardBatches(
        shard=shard,
        fingerprint=metadata["fingerprint"],
        entries=int(metadata["entries"]),
        rejected=json.loads(metadata["rejected"]),
        version=int(metadata["version"]),
        read=read,
    )
