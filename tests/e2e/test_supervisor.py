"""The supervisor with real processes: trees of them, stubborn ones, ones that die, and a stack that was killed."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.stack.child import Program, ProgramError
from zeppelin_pipeline.stack.process_table import command_line, group_members
from zeppelin_pipeline.stack.supervisor import Supervisor, terminating_as_interrupt

TREE = """
import subprocess, sys, time
depth, folder = int(sys.argv[1]), sys.argv[2]
open(f"{folder}/pid-{depth}", "w").write(str(__import__("os").getpid()))
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1), folder])
time.sleep(600)
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
open(sys.argv[1], "w").write("ready")
time.sleep(600)
"""
NOTES_ITS_END = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + "." + sys.argv[2], "w").close()
time.sleep(600)
"""


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Program]:
    """Makes a program of a Python text and its arguments."""

    def make(name: str, text: str, *arguments: object, ready: Path | None = None) -> Program:
        script = tmp_path / f"{name}.py"
        script.write_text(text)
        command = (sys.executable, str(script), *map(str, arguments))
        return Program(name, command, os.environ, is_ready=ready.exists if ready else None, ready_within_seconds=20)

    return make


def test_all_programs_are_stopped_though_nothing_can_be_written_any_more(
    tmp_path: Path, python: Callable[..., Program]
) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        for name in ("first", "second"):
            supervisor.start(python(name, TREE, 0, tmp_path, ready=tmp_path / "pid-0"))
            (tmp_path / "pid-0").rename(tmp_path / name)
        shutil.rmtree(tmp_path / "logs")
        supervisor.stop()
    assert [command_line(int((tmp_path / name).read_text())) for name in ("first", "second")] == ["", ""]


def test_stopping_ends_a_whole_tree_of_processes(tmp_path: Path, python: Callable[..., Program]) -> None:
    deepest = tmp_path / "pid-0"
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start(python("tree", TREE, 3, tmp_path, ready=deepest))
        time.sleep(0.1)
        pids = [int((tmp_path / f"pid-{depth}").read_text()) for depth in range(4)]
        assert group_members(pids[3]) == sorted(pids)
    assert [command_line(pid) for pid in pids] == ["", "", "", ""]


def test_a_program_that_ignores_signals_is_killed_after_the_grace(
    tmp_path: Path, python: Callable[..., Program]
) -> None:
    ready = tmp_path / "ready"
    with Supervisor(tmp_path / "logs", grace_seconds=0.5) as supervisor:
        supervisor.start(python("stubborn", STUBBORN, ready, ready=ready))
        started = time.monotonic()
    assert 0.5 < time.monotonic() - started < 5


def test_programs_are_stopped_in_reverse_order(tmp_path: Path, python: Callable[..., Program]) -> None:
    notes = tmp_path / "notes"
    with Supervisor(tmp_path / "logs") as supervisor:
        for name in ("first", "second", "third"):
            supervisor.start(python(name, NOTES_ITS_END, notes, name, ready=tmp_path / f"notes.{name}"))
    assert notes.read_text().split() == ["third", "second", "first"]


def test_a_program_that_dies_ends_the_watch_with_its_last_words(tmp_path: Path, python: Callable[..., Program]) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start(python("brief", "import time; time.sleep(0.5); raise SystemExit('no more work')"))
        with pytest.raises(ProgramError, match=r"brief ended unexpectedly \(exit code 1\)(.|\n)*no more work"):
            supervisor.watch()


def test_a_program_that_dies_before_it_is_ready_is_reported_at_once(
    tmp_path: Path, python: Callable[..., Program]
) -> None:
    dead = python("dead", "import os; os.kill(os.getpid(), 9)", ready=tmp_path / "never")
    with Supervisor(tmp_path / "logs") as supervisor, pytest.raises(ProgramError, match="killed by SIGKILL"):
        supervisor.start(dead)


def test_a_program_that_never_becomes_ready_is_reported(tmp_path: Path) -> None:
    program = Program(
        "slow",
        (sys.executable, "-c", "import time; time.sleep(600)"),
        os.environ,
        lambda: False,
        ready_within_seconds=0.3,
    )
    with Supervisor(tmp_path) as supervisor, pytest.raises(ProgramError, match=r"slow was not ready in 0 s"):
        supervisor.start(program)


def test_the_log_of_the_last_run_is_kept(tmp_path: Path) -> None:
    for word in ("one", "two"):
        program = Program("talk", (sys.executable, "-c", f"print('{word}'); import time; time.sleep(600)"), os.environ)
        with Supervisor(tmp_path) as supervisor:
            supervisor.start(
                Program(
                    program.name,
                    program.command,
                    {**os.environ, "PYTHONUNBUFFERED": "1"},
                    lambda: (tmp_path / "talk.log").stat().st_size > 0,
                )
            )
    assert (tmp_path / "talk.log").read_text() == "two\n"
    assert (tmp_path / "talk.log.1").read_text() == "one\n"


def test_two_stacks_do_not_run_over_one_folder(tmp_path: Path) -> None:
    with Supervisor(tmp_path), pytest.raises(ConfigurationError, match="another stack runs"), Supervisor(tmp_path):
        pass
    with Supervisor(tmp_path):
        pass


HOST = """
import os, sys
from pathlib import Path
from zeppelin_pipeline.stack.child import Program
from zeppelin_pipeline.stack.supervisor import Supervisor, terminating_as_interrupt
logs, ready, script = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with terminating_as_interrupt(), Supervisor(logs) as supervisor:
    supervisor.start(Program("tree", (sys.executable, script, "1", str(logs)), os.environ, (logs / "pid-0").exists))
    ready.write_text("ready")
    supervisor.watch()
"""


def start_host(tmp_path: Path) -> "tuple[subprocess.Popen[bytes], list[int]]":
    """A process that supervises a tree of two, started like a shell's `&` with SIGINT ignored."""
    tree, ready, logs = tmp_path / "tree.py", tmp_path / "ready", tmp_path / "logs"
    tree.write_text(textwrap.dedent(TREE))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        host = subprocess.Popen([sys.executable, "-c", HOST, logs, ready, tree], stderr=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert host.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.1)
    return host, [int((logs / f"pid-{depth}").read_text()) for depth in range(2)]


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_supervising_process_stops_all(tmp_path: Path, way: signal.Signals) -> None:
    host, pids = start_host(tmp_path)
    host.send_signal(way)
    assert host.wait(60) != 0
    assert [command_line(pid) for pid in pids] == ["", ""]


def test_what_a_killed_stack_left_behind_is_ended_by_the_next(tmp_path: Path) -> None:
    host, pids = start_host(tmp_path)
    host.kill()
    host.wait(60)
    assert all(command_line(pid) for pid in pids)
    with Supervisor(tmp_path / "logs"):
        assert [command_line(pid) for pid in pids] == ["", ""]


def test_a_second_signal_does_not_disturb_the_clean_up() -> None:
    def be_signalled_twice() -> None:
        with terminating_as_interrupt():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # ignored, where the tests were started in the background
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        be_signalled_twice()
    assert signal.getsignal(signal.SIGINT) is before
