"""Extraction: one shard's fetched repositories to verified rows in the lake. What a record means is for `records`.

The marker (`layout.batch_ledger`) is written last and names the files that count. Its fingerprint says from what they
were made: the same pack, extracted by the same version, is not extracted again.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import BATCHES
from zeppelin_pipeline.lake.store import FileStats, Lake
from zeppelin_pipeline.repos.extract_output import DEFAULT_LIMITS, ExtractOutput, Limits
from zeppelin_pipeline.repos.extract_rows import RowExtractor
from zeppelin_pipeline.repos.pack import pack_rows

#: Raised whenever the same pack would give other rows: what was extracted before is then extracted anew.
EXTRACT_VERSION: Final = 3

_FINGERPRINT_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class ExtractResult:
    """What one extraction gave; the marker keeps it.

    Attributes:
        fingerprint: of the pack and the version, 12 hexadecimal digits.
        entries: record entries of all repositories that could be enumerated: typed rows, rows of `record`, and those
            of repositories that were set aside whole.
        rows: by dataset, without the empty ones.
        input_bytes: of the CAR files.
        output_bytes: of the files written.
        rejected: record entries set aside, by reason.
        states: repositories by state.
        seconds: that the extraction took.
        is_reused: nothing was done now, as the marker had the same fingerprint already.
    """

    fingerprint: str
    entries: int
    rows: dict[str, int]
    input_bytes: int
    output_bytes: int
    rejected: dict[str, int]
    states: dict[str, int]
    seconds: float
    is_reused: bool = False


def extract_shard(
    lake: Lake,
    shard: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ExtractResult:
    """Verifies every repository of a shard's pack and writes its records as rows, one file a dataset.

    Rows are in the order of the pack, and within a repository in the order of its tree; the same pack gives the same
    files. The files of an earlier fingerprint are deleted once the new marker stands.

    Args:
        lake: where the pack is read and the files are written.
        shard: its key.
        progress: called with (repositories, record entries) so far, every hundred repositories and at the end.
        limits: of what is held in memory.

    Raises:
        FileNotFoundError: the shard has no pack.
    """
    started = time.monotonic()
    fingerprint = pack_fingerprint(lake, shard)
    earlier = _read_marker(lake, shard)
    if earlier is not None and earlier.result.fingerprint == fingerprint:
        return earlier.result
    with ExtractOutput(lake, shard, fingerprint, limits) as output:
        run = RowExtractor(output, progress)
        for row in pack_rows(lake, shard):
            run.add(row)
        files = output.commit()
    run.report()
    result = ExtractResult(
        fingerprint=fingerprint,
        entries=run.entries,
        rows={dataset: file.rows for dataset, file in files.items()},
        input_bytes=run.input_bytes,
        output_bytes=sum(file.bytes for file in files.values()),
        rejected=dict(sorted(output.rejected.items())),
        states=dict(sorted(run.states.items())),
        seconds=round(time.monotonic() - started, 3),
    )
    _write_marker(lake, shard, result, files)
    for path in earlier.paths if earlier else ():
        if path not in {file.path for file in files.values()}:
            lake.delete(path)
    return result


def pack_fingerprint(lake: Lake, shard: str) -> str:
    """Names what a shard's rows are made from: its pack's parts by name and size, and the version of extraction.

    Raises:
        FileNotFoundError: the shard has no pack.
    """
    parts = lake.list(layout.pack(shard))
    if not parts:
        raise FileNotFoundError(f"shard {shard} has no pack in the lake")
    sized = [[path, lake.size(path)] for path in parts]
    return hashlib.sha256(json.dumps([EXTRACT_VERSION, sized]).encode()).hexdigest()[:_FINGERPRINT_DIGITS]


@dataclass(frozen=True, slots=True)
class _Marker:
    """A finished extraction: what it gave, and the files that count."""

    result: ExtractResult
    paths: tuple[str, ...]


def _read_marker(lake: Lake, shard: str) -> _Marker | None:
    path = layout.batch_ledger(shard)
    if not lake.exists(path):
        return None
    metadata = lake.read_metadata(path)
    with lake.open_parquet(path) as file:
        paths = tuple(file.read(columns=["path"]).column(0).to_pylist())
    values = {name: json.loads(metadata[name]) for name in _COUNTED}
    return _Marker(ExtractResult(fingerprint=metadata["fingerprint"], **values, is_reused=True), paths)


#: Fields of the result that the marker keeps as JSON; its fingerprint is kept as it is.
_COUNTED: Final = ("entries", "rows", "input_bytes", "output_bytes", "rejected", "states", "seconds")


def _write_marker(lake: Lake, shard: str, result: ExtractResult, files: dict[str, FileStats]) -> None:
    rows = [
        {"dataset": dataset, "path": file.path, "rows": file.rows, "bytes": file.bytes}
        for dataset, file in files.items()
    ]
    metadata = {name: json.dumps(getattr(result, name)) for name in _COUNTED}
    metadata["fingerprint"] = result.fingerprint
    lake.write_table(layout.batch_ledger(shard), pa.Table.from_pylist(rows, schema=BATCHES), metadata=metadata)
