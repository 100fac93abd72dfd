"""The marker of a shard's batches: which files count, what they were made from, and what the extraction gave.

Written last, in one piece: what it does not name is not there. Files are made by `extract`, and made smaller by
`compaction`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

import pyarrow as pa

from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import BATCHES
from zeppelin_pipeline.lake.store import FileStats, Lake
from zeppelin_pipeline.repos.pack import PartIdentity


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


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One dataset's file, as in the schema `BATCHES`."""

    dataset: str
    path: str
    rows: int
    bytes: int
    unchanged_rows: int


@dataclass(frozen=True, slots=True)
class Marker:
    """A finished extraction.

    Attributes:
        result: what it gave.
        files: that count.
        parts: of the pack, from which they were made.
        version: of the extraction that made them.
        base: the fingerprint of the batches that the unchanged rows were in; null where all was made anew.
    """

    result: ExtractResult
    files: tuple[BatchFile, ...]
    parts: tuple[PartIdentity, ...]
    version: int
    base: str | None

    @property
    def paths(self) -> dict[str, str]:
        """The files by dataset."""
        return {file.dataset: file.path for file in self.files}


def batch_files(written: dict[str, FileStats], unchanged: dict[str, int]) -> tuple[BatchFile, ...]:
    """The files that were written, with how many of the first rows of each were there before."""
    return tuple(
        BatchFile(dataset, file.path, file.rows, file.bytes, unchanged.get(dataset, 0))
        for dataset, file in written.items()
    )


def read_marker(lake: Lake, shard: str) -> Marker | None:
    """The shard's marker; null when it was not extracted yet."""
    path = layout.batch_ledger(shard)
    if not lake.exists(path):
        return None
    metadata = lake.read_metadata(path)
    with lake.open_parquet(path) as file:
        rows = file.read().to_pylist()
    values = {name: json.loads(metadata[name]) for name in _COUNTED}
    return Marker(
        result=ExtractResult(fingerprint=metadata["fingerprint"], **values, is_reused=True),
        files=tuple(BatchFile(**row) for row in rows),
        parts=tuple(PartIdentity(*part) for part in json.loads(metadata["parts"])),
        version=int(metadata["version"]),
        base=metadata["base"] or None,
    )


#: Fields of the result that the marker keeps as JSON; its fingerprint is kept as it is.
_COUNTED: Final = ("entries", "rows", "input_bytes", "output_bytes", "rejected", "states", "seconds")


def write_marker(lake: Lake, shard: str, marker: Marker) -> None:
    """Replaces the shard's marker; durable on return."""
    rows: list[dict[str, Any]] = [asdict(file) for file in marker.files]
    metadata = {name: json.dumps(getattr(marker.result, name)) for name in _COUNTED}
    metadata |= {
        "fingerprint": marker.result.fingerprint,
        "parts": json.dumps([[part.path, part.content] for part in marker.parts]),
        "version": str(marker.version),
        "base": marker.base or "",
    }
    lake.write_table(layout.batch_ledger(shard), pa.Table.from_pylist(rows, schema=BATCHES), metadata=metadata)
