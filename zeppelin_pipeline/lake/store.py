"""The lake's store: Parquet files that are wholly there or not at all. What is in them is the callers' business.

On a local disk a file is written under a temporary name in its own folder, synced, renamed, and its folder synced.
Elsewhere (S3) it is written to a local temporary file and put once, complete. A reader never sees half a file, and a
file that was seen is still there after a power cut.
"""

import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from zeppelin_pipeline.errors import ConfigurationError

_TEMPORARY_SUFFIX: Final = ".tmp"
#: Older than any writer that still lives: a run writes its longest file in minutes.
SWEEP_AGE_SECONDS: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class FileStats:
    """A file that is durable: its path in the lake, its rows and its size."""

    path: str
    rows: int
    bytes: int


class Lake:
    """A folder of Parquet files, on a local disk or an object store, by its URL (`/var/lib/lake`, `s3://bucket/lake`)."""

    def __init__(self, url: str) -> None:
        """Opens the lake; no file or folder is made yet.

        Raises:
            ConfigurationError: no installed file system knows the URL.
        """
        try:
            # Without the listing cache: another process's files must be seen at once.
            file_system, root = fsspec.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"the lake's URL {url!r} cannot be opened: {error}") from error
        self.url = url
        self._fs = cast("fsspec.AbstractFileSystem", file_system)
        self._root = cast("str", root).rstrip("/")
        self._is_local = isinstance(file_system, LocalFileSystem)

    def write_table(self, path: str, table: pa.Table, *, metadata: dict[str, str] | None = None) -> FileStats:
        """Writes a whole file, replacing the one of that path; durable on return."""
        with self.open_writer(path, table.schema, metadata=metadata) as writer:
            writer.write_table(table)
            return writer.commit()

    def open_writer(
        self, path: str, schema: pa.Schema, *, metadata: dict[str, str] | None = None, compression: str = "zstd"
    ) -> "LakeWriter":
        """Opens a writer whose file appears, complete, at `commit`; at an error nothing appears.

        Args:
            path: relative to the lake's root.
            schema: of the rows; its own metadata is kept.
            metadata: key-value pairs of the file, read back by `read_metadata`.
            compression: of all columns.
        """
        target = self._absolute(path)
        staged = _LocalStage(target) if self._is_local else _RemoteStage(self._fs, target)
        return LakeWriter(path, staged, schema, metadata or {}, compression)

    def open_parquet(self, path: str) -> pq.ParquetFile:
        """Opens a file for reading by row groups; close it, or use it in a `with`.

        Raises:
            FileNotFoundError: there is none.
        """
        absolute = self._absolute(path)
        if self._is_local:
            return pq.ParquetFile(absolute)
        return pq.ParquetFile(absolute, filesystem=self._fs)

    def read_metadata(self, path: str) -> dict[str, str]:
        """The file's key-value pairs, without Arrow's and pandas' own."""
        with self.open_parquet(path) as file:
            pairs = cast("dict[bytes, bytes]", file.metadata.metadata or {})
        return {key.decode(): value.decode() for key, value in pairs.items() if key not in {b"ARROW:schema", b"pandas"}}

    def list(self, prefix: str) -> list[str]:
        """The paths of all files below a folder, sorted, temporary ones left out; none when there is no such folder."""
        found = cast("list[str]", self._fs.find(self._absolute(prefix)))
        relative = (path[len(self._root) + 1 :] for path in found)
        return sorted(path for path in relative if not _is_temporary(path))

    def folders(self, prefix: str) -> "list[str]":
        """The names of the folders directly below a folder, sorted."""
        absolute = self._absolute(prefix)
        if not self._fs.isdir(absolute):
            return []
        entries = cast("list[dict[str, Any]]", self._fs.ls(absolute, detail=True))
        return sorted(PurePosixPath(entry["name"]).name for entry in entries if entry["type"] == "directory")

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return bool(self._fs.isfile(self._absolute(path)))

    def size(self, path: str) -> int:
        """Bytes of the file; FileNotFoundError when there is none."""
        return int(cast("int", self._fs.size(self._absolute(path))))

    def delete(self, path: str) -> None:
        """Removes the file; it is no error when there is none."""
        absolute = self._absolute(path)
        if self._fs.isfile(absolute):
            self._fs.rm_file(absolute)
            if self._is_local:
                _sync_folder(Path(absolute).parent)

    def sweep(self, older_than_seconds: float = SWEEP_AGE_SECONDS) -> "list[str]":
        """Removes temporary files that a killed writer left behind; gives back their paths.

        Only those older than the given age, as a younger one may be a living writer's. An object store has none.
        """
        if not self._is_local:
            return []
        limit = time.time() - older_than_seconds
        swept: list[str] = []
        for folder, _, names in os.walk(self._root):
            for name in filter(_is_temporary, names):
                file = Path(folder) / name
                if file.stat().st_mtime < limit:
                    file.unlink(missing_ok=True)
                    swept.append(str(file.relative_to(self._root)))
        return sorted(swept)

    def _absolute(self, path: str) -> str:
        parts = path.split("/")
        if "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
            raise ValueError(f"not a path inside the lake: {path!r}")
        return f"{self._root}/{path}"


class LakeWriter:
    """Writes one Parquet file by row groups. Leaving the `with` without `commit` leaves nothing, error or not."""

    def __init__(
        self,
        path: str,
        stage: "_LocalStage | _RemoteStage",
        schema: pa.Schema,
        metadata: dict[str, str],
        compression: str,
    ) -> None:
        self.path = path
        self.rows = 0
        self._stage = stage
        self._metadata = metadata
        self._writer = pq.ParquetWriter(stage.file, schema, compression=compression)
        self._is_open = True

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Writes the batch as one row group."""
        self.write_table(pa.Table.from_batches([batch]))

    def write_table(self, table: pa.Table, *, row_group_rows: int | None = None) -> None:
        """Writes the table as one row group, or as groups of at most that many rows."""
        if table.num_rows:
            self._writer.write_table(table, row_group_size=row_group_rows or table.num_rows)
            self.rows += table.num_rows

    @property
    def written_bytes(self) -> int:
        """Bytes of the row groups written so far, compressed."""
        return self._stage.file.tell()

    def commit(self, metadata: dict[str, str] | None = None) -> FileStats:
        """Makes the file durable under its path.

        Args:
            metadata: more key-value pairs, known only now (counts).
        """
        self._writer.add_key_value_metadata({**self._metadata, **(metadata or {})})
        self._writer.close()
        size_bytes = self._stage.file.tell()
        self._stage.publish()
        self._is_open = False
        return FileStats(self.path, self.rows, size_bytes)

    def abort(self) -> None:
        """Drops what was written; nothing happens after `commit`."""
        if self._is_open:
            self._is_open = False
            try:
                self._writer.close()
            finally:
                self._stage.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.abort()


class _LocalStage:
    """A temporary file beside its target, renamed over it."""

    def __init__(self, target: str) -> None:
        self._target = Path(target)
        _make_folder(self._target.parent)
        name = f".{self._target.name}.{os.getpid()}-{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}"
        self._temporary = self._target.parent / name
        self.file: BinaryIO = self._temporary.open("xb")

    def publish(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self._temporary.replace(self._target)
        _sync_folder(self._target.parent)

    def discard(self) -> None:
        self.file.close()
        self._temporary.unlink(missing_ok=True)


class _RemoteStage:
    """An unnamed local file, put into the object store in one piece."""

    def __init__(self, file_system: fsspec.AbstractFileSystem, target: str) -> None:
        self._fs = file_system
        self._target = target
        self._folder = tempfile.mkdtemp(prefix="zeppelin-lake-")
        self._local = Path(self._folder) / "part"
        self.file: BinaryIO = self._local.open("xb")

    def publish(self) -> None:
        self.file.close()
        self._fs.put_file(str(self._local), self._target)
        self.discard()

    def discard(self) -> None:
        self.file.close()
        shutil.rmtree(self._folder)


def _is_temporary(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(_TEMPORARY_SUFFIX)


def _make_folder(folder: Path) -> None:
    """Makes the folder and syncs each new one into its parent, so that a durable file is not in a lost folder."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
