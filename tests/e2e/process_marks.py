"""Finds the processes that a test caused, by a variable in their environment, whoever their parent is now."""

import os
import signal
from contextlib import suppress

from zeppelin_pipeline.stack.process_table import PROC


def processes_marked(mark: str) -> list[str]:
    """The command lines of living processes whose environment has the entry `mark` (`NAME=value`)."""
    return list(_marked(mark).values())


def end_marked(mark: str) -> list[str]:
    """Kill all such processes; gives the command lines of those that there were."""
    found = _marked(mark)
    for process in found:
        with suppress(ProcessLookupError):  # ended meanwhile
            os.kill(process, signal.SIGKILL)
    return list(found.values())


def _marked(mark: str) -> dict[int, str]:
    """Command lines by process."""
    found: dict[int, str] = {}
    for process in PROC.iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # ended meanwhile
            if mark.encode() in environment.split(b"\0") and command:
                found[int(process.name)] = command
    return found
