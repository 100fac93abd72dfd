"""What the system knows of its processes: numbers are given again, so they are asked for more."""

import subprocess
from pathlib import Path


def command_line(pid: int) -> str:
    """The command line of a process, words joined by spaces; empty when there is none, and for a zombie."""
    if Path("/proc/self").exists():
        try:
            return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    answer = subprocess.run(  # noqa: S603 - a number of ours; systems without /proc have `ps`
        ["ps", "-o", "args=", "-p", str(pid)],  # noqa: S607 - wherever the system keeps it
        check=False,
        capture_output=True,
        text=True,
    )
    return answer.stdout
