"""Finds the processes that a test caused, by a variable in their environment, whoever their parent is now."""

from zeppelin_pipeline.stack.process_table import PROC


def processes_marked(mark: str) -> list[str]:
    """The command lines of living processes whose environment has the entry `mark` (`NAME=value`)."""
    found: list[str] = []
    for process in PROC.iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # ended meanwhile
            if mark.encode() in environment.split(b"\0") and command:
                found.append(command)
    return found
