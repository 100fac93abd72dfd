"""`zeppelin demo` as a person runs it: interrupted, and run again to its end."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process_marks import processes_marked
from zeppelin_pipeline.stack.demo import WEB_ACCOUNTS
from zeppelin_pipeline.stack.ports import free_port, is_port_free

pytestmark = pytest.mark.e2e

HOSTS = 2
REPOS = 12
COMMAND = (sys.executable, "-m", "zeppelin_pipeline.cli", "demo", "--repos", str(REPOS), "--hosts", str(HOSTS))
MARK = "ZEPPELIN_TEST_DEMO"


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        if all(is_port_free(port) for port in range(first, first + count)):
            return first


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Settings over a folder of the test's own, open to the account that the embedded server runs under."""
    with tempfile.TemporaryDirectory(prefix="zeppelin-tests-") as folder:
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
        assert processes_marked(f"{MARK}={folder}") == []


def test_an_interrupted_demo_leaves_nothing_running_and_the_next_goes_on_to_right_answers(
    environment: dict[str, str],
) -> None:
    first = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("listings:"):
            first.send_signal(signal.SIGINT)
            break
    rest = first.stdout.read()
    assert first.wait(60) == 130, rest
    assert "Traceback" not in rest
    assert processes_marked(f"{MARK}={environment[MARK]}") == []

    again = subprocess.run(
        (*COMMAND, "--once"), env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"listings: {HOSTS} of {HOSTS} in 0.0 s {HOSTS} done before" in again.stdout
    assert "all right" in " ".join(again.stdout.split())
