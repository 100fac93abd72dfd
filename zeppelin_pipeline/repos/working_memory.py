"""The memory of a process that works on a shard, as it takes and gives back large buffers again and again.

What was given back is kept for the next batch, as the kernel has to clear every page that it gives anew, and what the
process held before is not searched for garbage meanwhile: neither says anything about a shard, and both together took a
fifth of the processor time of extraction and a quarter of that of a load's own part.
"""

import ctypes
import gc
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Final

import pyarrow as pa

#: glibc's names in `mallopt`, see malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
#: Larger blocks come from the kernel, and go back to it at once: those of a huge repository.
_KEPT_BLOCK_BYTES: Final = 8 << 20
#: Of the heap's end, at most.
_KEPT_BYTES: Final = 32 << 20


@contextmanager
def working_memory() -> Generator[None]:
    """Within it the process keeps memory, and leaves what it held before out of the search for garbage."""
    _keep_freed_memory()
    is_frozen = gc.get_freeze_count() > 0
    if not is_frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()


@cache
def _keep_freed_memory() -> None:
    """Arrow's buffers and NumPy's come from one heap, which keeps what is freed; once for the life of the process."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return  # another C library, which keeps what it will
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    pa.set_memory_pool(pa.system_memory_pool())
