"""How a kernel is compiled, and where its machine code is kept; no kernel itself.

A kernel is compiled when it is first called, or read from the cache that an earlier process left. Numba knows a cached
kernel by its own file alone, though what it calls in other files is compiled into it: so the cache lies in a folder
named by the content of all kernels' files, and a change to any of them makes all be compiled again. From other files
kernels take nothing but constants that never change, such as the protocol's alphabets.

The cache is beside the code (`__pycache__`), or, where that cannot be written, where Numba keeps it for the user;
`NUMBA_CACHE_DIR` names another place. Processes that start together take turns, so that each kernel is compiled by one
of them: compiling all takes a core tens of seconds.
"""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any, Final, TypeAlias, TypeVar

import numba
import numpy as np
from numba.core import config as numba_config

Array: TypeAlias = Any
"""A NumPy array of one dimension; what indexing gives is a machine's number, for which Python has no type."""

Number: TypeAlias = "int | np.integer[Any]"
"""An integer of 64 bits with a sign in a kernel, whatever it is outside."""

_Function = TypeVar("_Function", bound=Callable[..., Any])

_config: Any = numba_config  # its attributes are made while it is imported
_PACKAGE: Final = Path(__file__).resolve().parents[2]
_DIGEST_DIGITS: Final = 16


def _digest_of_kernels() -> str:
    digest = sha256(numba.__version__.encode())
    for path in sorted(_PACKAGE.glob("*/kernels/*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_DIGEST_DIGITS]


def _cache_folder() -> str:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        base = Path(given)
    else:
        beside = Path(__file__).parent / "__pycache__"
        is_writable = os.access(beside if beside.is_dir() else beside.parent, os.W_OK)
        base = beside if is_writable else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zeppelin"
    return str(base / f"kernels-{_digest_of_kernels()}")


_CACHE_FOLDER: Final = _cache_folder()


class _Turn:
    """One process compiles at a time; the others wait, and then find what it has compiled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = RLock()
        self._depth = 0

    @contextmanager
    def taken(self) -> Generator[None]:
        """Holds the turn, which ends with the process at the latest; a kernel that needs another one takes it once."""
        with self._lock:
            if self._depth:
                yield
                return
            with self._file_lock():
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1

    @contextmanager
    def _file_lock(self) -> Generator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / "turn.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            yield  # nothing can be kept there either: each process compiles for itself
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


_turn: Final = _Turn(Path(_CACHE_FOLDER))


def kernel(function: _Function) -> _Function:
    """A function compiled without the interpreter, kept for later processes; called with arrays and numbers only."""
    given = _config.CACHE_DIR
    _config.CACHE_DIR = _CACHE_FOLDER  # is read while the decorator runs, and nowhere else
    try:
        compiled: Any = numba.njit(cache=True, nogil=True)(function)
    finally:
        _config.CACHE_DIR = given
    compile_or_load = compiled.compile

    def compile_in_turn(signature: Any) -> Any:
        with _turn.taken():
            return compile_or_load(signature)

    compiled.compile = compile_in_turn
    return compiled


def part(function: _Function) -> _Function:
    """A function that only kernels call: compiled into each of them."""
    compiled: Any = numba.njit(function)
    return compiled


def is_for_this_processor() -> bool:
    """Whether code is made for the very processor that runs, and may use all its instructions."""
    return not _config.CPU_NAME and not _config.CPU_FEATURES
