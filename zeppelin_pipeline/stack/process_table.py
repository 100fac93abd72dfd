"""What the system knows of its processes: numbers are given again, so they are asked for more."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def command_line(pid: int) -> str:
    """The command line of a process, words joined by spaces; empty when there is none, and for a zombie."""
    if _has_proc():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return _ps("-o", "args=", "-p", str(pid))


def group_members(group: int) -> list[int]:
    """The living processes of a process group. Zombies do not count: where nobody reaps orphans they stay for ever."""
    rows = _proc_rows() if _has_proc() else _ps_rows()
    return [pid for pid, state, of_group in rows if of_group == group and not state.startswith("Z")]


def _has_proc() -> bool:
    return (PROC / "self").exists()


def _proc_rows() -> Iterator[tuple[int, str, int]]:
    """Process, state and group of all; the name in the second field may hold spaces and brackets of its own."""
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        state, _parent, group = text.rpartition(")")[2].split()[:3]
        yield int(folder.name), state, int(group)


def _ps_rows() -> Iterator[tuple[int, str, int]]:
    for line in _ps("-axo", "pid=,stat=,pgid=").splitlines():
        pid, state, group = line.split()
        yield int(pid), state, int(group)


def _ps(*arguments: str) -> str:
    """`ps`, on systems without /proc."""
    return subprocess.run(["ps", *arguments], check=False, capture_output=True, text=True).stdout  # noqa: S603, S607 - the system's own, wherever it is kept
