"""All kernels compiled before anything waits for one, by processes side by side. No kernel is named here.

As a program, `python -m zeppelin_pipeline.stack.kernels 0 2`, it compiles the first half of them, and names each on a
line.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from zeppelin_pipeline.atproto.kernels.compilation import compile_kernel, kernel_names
from zeppelin_pipeline.atproto.kernels.machine_code import cache_folder
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.stack.progress import StageProgress

_PACKAGES: Final = Path(__file__).resolve().parents[2]
_ALL_COMPILED: Final = "all-compiled"
#: Each takes 300 MB, and compiles for itself what its kernels have in common.
_MOST_PROCESSES: Final = 4


def compile_kernels(console: Console) -> None:
    """Compile what no process of this version has compiled before; nothing is done, and said, when all is there.

    Raises:
        CorruptStateError: a kernel does not compile; what the compiler said is on the standard error.
    """
    mark = cache_folder() / _ALL_COMPILED
    if mark.exists():
        return
    names = import_kernels()
    console.print(f"Compiling {len(names)} kernels, once for this version: a minute of processor time")
    progress = StageProgress(console)
    processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
    with (
        progress.drawn(),
        progress.stage("kernels", len(names)) as stage,
        _compiling(processes) as compiled,
    ):
        for count, name in enumerate(compiled, 1):
            stage.show(count, note=name.strip())
    with suppress(OSError):  # nothing can be kept there: each process compiles for itself
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def import_kernels() -> list[str]:
    """Import every module that has kernels; the names of all."""
    for path in sorted(_PACKAGES.glob("zeppelin_pipeline/*/kernels/*.py")):
        importlib.import_module(".".join(path.relative_to(_PACKAGES).with_suffix("").parts))
    return kernel_names()


@contextmanager
def _compiling(processes: int) -> Generator[TextIO]:
    """The names of kernels as they are compiled."""
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as names:
        workers = [
            subprocess.Popen(  # noqa: S603 - a program of our own
                (sys.executable, "-m", __name__, str(place), str(processes)), stdin=subprocess.DEVNULL, stdout=writing
            )
            for place in range(processes)
        ]
        os.close(writing)
        try:
            yield names
            codes = [worker.wait() for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
    if any(codes):
        raise CorruptStateError(f"kernels do not compile: exit codes {codes}")


def main(place: str, processes: str) -> None:
    """Compile a worker's share: neighbours, which have most in common."""
    names = import_kernels()
    first, last = (len(names) * (int(place) + more) // int(processes) for more in (0, 1))
    for name in names[first:last]:
        compile_kernel(name)
        print(name, flush=True)  # noqa: T201 - read by who started us


if __name__ == "__main__":
    main(*sys.argv[1:])
