"""The lake's store: Parquet files that are wholly there or not at all. What is in them is the callers' business.

On a local disk a file is written under a temporary name in its own folder, synced, renamed, and its folder synced.
Elsewhere (S3) it is written to a local temporary file and put once, complete. A reader never sees half a file, and a
file that was seen is still there after a power cut.
"""

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.encoding import Encoding
from zeppelin_pipeline.lake.locks import Lease, hold_folder
from zeppelin_pipeline.lake.writer import (
    TEMPORARY_SUFFIX,
    FileStats,
    LakeWriter,
    LocalStage,
    RemoteStage,
    sync_folder,
)

#: Older than any writer that still lives: a run writes its longest file in minutes.
SWEEP_AGE_SECONDS: Final = 6 * 3600.0

_DEFAULT_ENCODING: Final = Encoding()


class Lake:
    """A folder of Parquet files, on a local disk or an object store, by its URL (`/var/lib/lake`, `s3://bucket/lake`)."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        """Opens the lake; no file or folder is made yet.

        Args:
            url: of its root.
            options: of the file system, as fsspec takes them (`endpoint_url`, `key`, `secret` for S3).

        Raises:
            ConfigurationError: no installed file system knows the URL.
        """
        try:
            # Without the listing cache: another process's files must be seen at once.
            file_system, root = fsspec.url_to_fs(url, use_listings_cache=False, **(options or {}))
        except (ValueError, ImportError, TypeError) as error:
            raise ConfigurationError(f"the lake's URL {url!r} cannot be opened: {error}") from error
        self.url = url
        self._fs = cast("fsspec.AbstractFileSystem", file_system)
        self._root = cast("str", root).rstrip("/")
        self._is_local = isinstance(file_system, LocalFileSystem)

    def reach(self) -> None:
        """Asks the store once, so that what is wrong with it is told before any work begins.

        Raises:
            ConfigurationError: it cannot be reached, or refuses us.
        """
        try:
            self._fs.find(self._root, maxdepth=1)
        except Exception as error:  # each store's library has errors of its own
            raise ConfigurationError(
                f"the lake {self.url!r} cannot be reached: {error}: see ZEPPELIN_LAKE_URL and ZEPPELIN_LAKE_OPTIONS"
            ) from error

    def write_table(
        self, path: str, table: pa.Table, *, metadata: dict[str, str] | None = None, is_new: bool = False
    ) -> FileStats:
        """Writes a whole file, replacing the one of that path; durable on return.

        Raises:
            FileExistsError: with `is_new`, when there is a file; whoever comes first wins, on every store.
        """
        with self.open_writer(path, table.schema, metadata=metadata, is_new=is_new) as writer:
            writer.write_table(table)
            return writer.commit()

    def open_writer(
        self,
        path: str,
        schema: pa.Schema,
        *,
        metadata: dict[str, str] | None = None,
        encoding: Encoding = _DEFAULT_ENCODING,
        is_new: bool = False,
    ) -> LakeWriter:
        """Opens a writer whose file appears, complete, at `commit`; at an error nothing appears.

        Args:
            path: relative to the lake's root.
            schema: of the rows; its own metadata is kept.
            metadata: key-value pairs of the file, read back by `read_metadata`.
            encoding: of the columns.
            is_new: `commit` raises FileExistsError when there is a file of that path.
        """
        target = self._absolute(path)
        staged = LocalStage(target, is_new=is_new) if self._is_local else RemoteStage(self._fs, target, is_new=is_new)
        writer = pq.ParquetWriter(staged.sink, schema, **encoding.options(schema))
        return LakeWriter(path, staged, writer, metadata or {})

    def open_parquet(self, path: str) -> pq.ParquetFile:
        """Opens a file for reading by row groups; close it, or use it in a `with`.

        Raises:
            FileNotFoundError: there is none.
        """
        absolute = self._absolute(path)
        if self._is_local:
            return pq.ParquetFile(absolute, pre_buffer=False)  # which would read by threads, for slower stores
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
        # Some S3 servers keep an object of a folder's own name after its last file was deleted.
        return sorted(path for path in relative if path != prefix and not _is_temporary(path))

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
                sync_folder(Path(absolute).parent)

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

    @contextmanager
    def lock(self, prefix: str) -> Generator[None]:
        """Keeps a folder for one writer at a time, on this and every other machine.

        The lock of a killed process is free at once on a local disk, and after half a minute on S3.

        Raises:
            CorruptStateError: another process holds it.
            ConfigurationError: the store is neither a local disk nor S3.
        """
        absolute = self._absolute(prefix)
        if self._is_local:
            with hold_folder(Path(absolute)):
                yield
        elif hasattr(self._fs, "call_s3"):
            bucket, _, key = self._absolute(layout.lock(prefix)).partition("/")
            with Lease(cast("Any", self._fs), bucket, key).held():
                yield
        else:
            raise ConfigurationError(f"{self.url}: only a local disk or S3 can keep one writer from another")

    def _absolute(self, path: str) -> str:
        parts = path.split("/")
        if "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
            raise ValueError(f"not a path inside the lake: {path!r}")
        return f"{self._root}/{path}"


def _is_temporary(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(TEMPORARY_SUFFIX)
