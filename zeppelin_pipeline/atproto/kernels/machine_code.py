"""Where the machine code of kernels is kept between processes, and who may make it; nothing of how it is made.

Numba knows a cached kernel by its own file alone, though what it calls in other files is compiled into it: so the cache
lies in a folder named by the content of all kernels' files, and a change to any of them makes all be compiled again.
From other files kernels take nothing but constants that never change, such as the protocol's alphabets.

The folder is beside the code (`__pycache__`), or, where that cannot be written, where Numba keeps it for the user;
`NUMBA_CACHE_DIR` names another place. A folder that no process has used for a week is removed when a new one is made:
until then older code that still runs finds its own.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import RLock
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parents[2]
_DIGEST_DIGITS: Final = 16
_FOLDER: Final = "kernels-"
_UNUSED_SECONDS: Final = 7 * 86_400.0


def _digest_of_kernels() -> str:
    digest = sha256(version("numba").encode())
    for path in sorted(_PACKAGE.glob("*/kernels/*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_DIGEST_DIGITS]


def cache_folder() -> Path:
    """The folder of the kernels as they are now; it may not be there yet."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        base = Path(given)
    else:
        beside = Path(__file__).parent / "__pycache__"
        is_writable = os.access(beside if beside.is_dir() else beside.parent, os.W_OK)
        base = beside if is_writable else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zeppelin"
    return base / f"{_FOLDER}{_digest_of_kernels()}"


class Turns:
    """A kernel is compiled by one process; the others wait, and then find what it has compiled."""

    def __init__(self, folder: Path) -> None:
        """Over the folder of the cache."""
        self._folder = folder
        # Numba compiles in one thread at a time: who waits for a file must not hold what the file's holder waits for.
        self._lock = RLock()

    @contextmanager
    def taken(self, kernel: str) -> Generator[None]:
        """Holds a kernel's turn, which ends with the process at the latest; meanwhile it may take others."""
        with self._lock, self._file_lock(kernel):
            yield

    @contextmanager
    def _file_lock(self, kernel: str) -> Generator[None]:
        try:
            _make_or_touch(self._folder)
            descriptor = os.open(self._folder / f"{kernel}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            yield  # nothing can be kept there either: each process compiles for itself
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _make_or_touch(folder: Path) -> None:
    if folder.exists():
        os.utime(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    remove_unused(folder.parent)


def remove_unused(base: Path, unused_seconds: float = _UNUSED_SECONDS) -> None:
    """Remove the folders of former kernels that nobody has used for so long."""
    latest = time.time() - unused_seconds
    for folder in base.glob(f"{_FOLDER}*"):
        with suppress(FileNotFoundError):  # another process removes it too
            if folder.stat().st_mtime < latest:
                shutil.rmtree(folder, ignore_errors=True)
