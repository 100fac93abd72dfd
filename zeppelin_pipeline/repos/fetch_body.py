"""One download's body: in memory while small, then in a temporary file, so that big ones cost disk, not memory."""

import mmap
import tempfile
from types import TracebackType
from typing import IO, Self


class SpooledBody:
    """Bytes that are appended, then read as one view. Leaving its `with` releases both memory and disk."""

    def __init__(self, memory_bytes: int) -> None:
        self.size_bytes = 0
        self._memory_bytes = memory_bytes
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def write(self, chunk: bytes) -> None:
        """Appends a chunk; raises OSError when the disk is full."""
        self.size_bytes += len(chunk)
        if self._file is None and self.size_bytes <= self._memory_bytes:
            self._memory += chunk
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="zeppelin-car-")  # noqa: SIM115 - closed by this class's own `with`
            self._file.write(self._memory)
            self._memory = bytearray()
        self._file.write(chunk)

    def view(self) -> memoryview:
        """All bytes; nothing is appended after it. A file is mapped for as long as the view is in use."""
        if self._file is None:
            return memoryview(self._memory)
        self._file.flush()
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def close(self) -> None:
        """Releases the file; a view that is still in use keeps its pages until it is dropped."""
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
