"""`zeppelin demo` as a person runs it: interrupted, and run again to its end."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process_marks import end_marked, processes_marked
from zeppelin_pipeline.stack.demo import WEB_ACCOUNTS
from zeppelin_pipeline.stack.ports import free_port, is_port_free

# What a demo needs is a minute; of a machine that is busy with other tests and compiles kernels, several.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

HOSTS = 2
REPOS = 12
COMMAND = (sys.executable, "-m", "zeppelin_pipeline.cli", "demo", "--repos", str(REPOS), "--hosts", str(HOSTS))
MARK = "ZEPPELIN_TEST_DEMO"
DEMO_SECONDS = 540.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.1
INTERRUPTED = 130


class Demo:
    """A demo that was started; each wait has an end, and a failure shows all that the demo has printed."""

    def __init__(self, environment: dict[str, str], name: str, *options: str) -> None:
        self._printed = Path(environment["ZEPPELIN_HOME"]) / f"{name}.txt"
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen(
                (*COMMAND, *options), env=environment, stdout=printed, stderr=subprocess.STDOUT
            )

    @property
    def printed(self) -> str:
        return self._printed.read_text(encoding="utf-8")

    def wait_for_line(self, start: str) -> None:
        deadline = time.monotonic() + DEMO_SECONDS
        while not any(line.startswith(start) for line in self.printed.splitlines()):
            assert self._process.poll() is None, f"ended before {start!r}:\n{self.printed}"
            assert time.monotonic() < deadline, f"no {start!r} in {DEMO_SECONDS:.0f} s:\n{self.printed}"
            time.sleep(POLL_SECONDS)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float) -> int:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            pytest.fail(f"the demo did not end in {seconds:.0f} s:\n{self.printed}")


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        if all(is_port_free(port) for port in range(first, first + count)):
            return first


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Settings over a folder of the test's own, open to the account that the embedded server runs under.

    What still runs at the end is killed, and the test has failed.
    """
    with tempfile.TemporaryDirectory(prefix="zeppelin-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        ours = {
            "ZEPPELIN_HOME": folder,
            "ZEPPELIN_DEVNET_PORT": str(free_ports(HOSTS + 3 + WEB_ACCOUNTS)),
            "ZEPPELIN_DAGSTER_PORT": str(free_port()),
            "ZEPPELIN_API_PORT": str(free_port()),
            "PYTHONUNBUFFERED": "1",
            MARK: folder,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZEPPELIN_")}
        yield inherited | ours
        assert end_marked(f"{MARK}={folder}") == []


def test_an_interrupted_demo_leaves_nothing_running_and_the_next_goes_on_to_right_answers(
    environment: dict[str, str],
) -> None:
    first = Demo(environment, "first")
    first.wait_for_line("listings:")
    first.interrupt()
    assert first.wait(STOP_SECONDS) == INTERRUPTED, first.printed
    assert "Traceback" not in first.printed
    assert processes_marked(f"{MARK}={environment[MARK]}") == []

    again = Demo(environment, "again", "--once")
    assert again.wait(DEMO_SECONDS) == 0, again.printed
    assert f"listings: {HOSTS} of {HOSTS} in 0.0 s {HOSTS} done before" in again.printed
    assert "all right" in " ".join(again.printed.split())
