"""One file of the lake while it is written: row groups into a stage, and the stage's publication.

A local stage is a temporary file beside its target, synced and renamed over it; a remote one is a local file, put into
the object store in one piece.
"""

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

TEMPORARY_SUFFIX: Final = ".tmp"


@dataclass(frozen=True, slots=True)
class FileStats:
    """A file that is durable: its path in the lake, its rows and its size."""

    path: str
    rows: int
    bytes: int


class LakeWriter:
    """Writes one Parquet file by row groups. Leaving the `with` without `commit` leaves nothing, error or not."""

    def __init__(
        self, path: str, stage: "LocalStage | RemoteStage", writer: pq.ParquetWriter, metadata: dict[str, str]
    ) -> None:
        self.path = path
        self.rows = 0
        self._stage = stage
        self._metadata = metadata
        self._writer = writer
        self._is_open = True

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Writes the batch as one row group."""
        self.write_table(pa.Table.from_batches([batch]))

    def write_table(self, table: pa.Table, *, row_group_rows: int | None = None) -> None:
        """Writes the table as one row group, or as groups of at most that many rows."""
        if table.num_rows:
            self._writer.write_table(table, row_group_size=row_group_rows or table.num_rows)
            self.rows += table.num_rows

    def commit(self, metadata: dict[str, str] | None = None) -> FileStats:
        """Makes the file durable under its path.

        Args:
            metadata: more key-value pairs, known only now (counts).
        """
        self._writer.add_key_value_metadata({**self._metadata, **(metadata or {})})
        self._writer.close()
        size_bytes = self._stage.publish()
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


class LocalStage:
    """A temporary file beside its target, renamed over it.

    Attributes:
        sink: where the file's bytes go; not by way of the interpreter, which would copy each of them once more.
    """

    def __init__(self, target: str, *, is_new: bool) -> None:
        self._target = Path(target)
        self._is_new = is_new
        make_folder(self._target.parent)
        name = f".{self._target.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
        self._temporary = self._target.parent / name
        self.sink = pa.OSFile(str(self._temporary), "wb")

    def publish(self) -> int:
        """Makes the file durable and lets it appear; FileExistsError when it is to be new and is there.

        Returns:
            Its bytes.
        """
        self.sink.close()
        with self._temporary.open("rb") as written:
            os.fsync(written.fileno())
            size_bytes = os.fstat(written.fileno()).st_size
        if self._is_new:
            self._target.hardlink_to(self._temporary)
            self._temporary.unlink()
        else:
            self._temporary.replace(self._target)
        sync_folder(self._target.parent)
        return size_bytes

    def discard(self) -> None:
        """Removes what was written."""
        self.sink.close()
        self._temporary.unlink(missing_ok=True)


class RemoteStage:
    """An unnamed local file, put into the object store in one piece.

    Attributes:
        sink: as of `LocalStage`.
    """

    def __init__(self, file_system: fsspec.AbstractFileSystem, target: str, *, is_new: bool) -> None:
        self._fs = file_system
        self._target = target
        self._is_new = is_new
        self._folder = tempfile.mkdtemp(prefix="zeppelin-lake-")
        self._local = Path(self._folder) / "part"
        self.sink = pa.OSFile(str(self._local), "wb")

    def publish(self) -> int:
        """Puts the file and lets it appear; FileExistsError when it is to be new and is there.

        Returns:
            Its bytes.
        """
        self.sink.close()
        size_bytes = self._local.stat().st_size
        try:
            self._fs.put_file(str(self._local), self._target, mode="create" if self._is_new else "overwrite")
        except OSError as error:
            if self._is_new and self._fs.exists(self._target):  # s3fs says EINVAL for a precondition that fails
                raise FileExistsError(self._target) from error
            raise
        self.discard()
        return size_bytes

    def discard(self) -> None:
        """Removes what was written."""
        self.sink.close()
        shutil.rmtree(self._folder)


def make_folder(folder: Path) -> None:
    """Makes the folder and syncs each new one into its parent, so that a durable file is not in a lost folder."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
