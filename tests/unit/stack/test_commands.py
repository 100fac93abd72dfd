"""What a person sees of commands that cannot do what they are asked: one line, and an exit code that is not 0."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from zeppelin_pipeline import cli
from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack import firehose
from zeppelin_pipeline.stack.lake import open_lake, require_shard
from zeppelin_pipeline.warehouse.connection import connect

NO_DATABASE = "postgresql://zeppelin@127.0.0.1:1/nothing"


def end_of_main(capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Its exit code, and what was said on standard error."""
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr().err


def test_a_home_that_cannot_be_made_is_one_line_that_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZEPPELIN_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.delenv("ZEPPELIN_POSTGRES_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["zeppelin", "migrate"])

    code, said = end_of_main(capsys)

    assert code == cli.EXIT_WRONG
    assert said.startswith(f"zeppelin: {tmp_path / 'file'}")
    assert "ZEPPELIN_HOME" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", [["status"], ["replay"], ["refetch", "--stale"], ["verify", "--all"]])
def test_commands_that_look_at_what_is_there_make_no_warehouse(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZEPPELIN_HOME", str(tmp_path))
    monkeypatch.delenv("ZEPPELIN_POSTGRES_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["zeppelin", *command])

    code, said = end_of_main(capsys)

    assert code == cli.EXIT_CONFIGURATION
    assert f"there is no warehouse in {tmp_path}" in said
    assert not list(tmp_path.iterdir())


def test_a_database_that_goes_away_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lose() -> None:
        raise psycopg.OperationalError("server closed the connection unexpectedly\n\tThis probably means")

    monkeypatch.setattr(cli, "app", lose)

    code, said = end_of_main(capsys)

    assert code == cli.EXIT_WRONG
    assert "the warehouse was lost: server closed the connection unexpectedly; start again" in said
    assert said.count("\n") == 1


def test_a_full_disk_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/lake/batches")

    monkeypatch.setattr(cli, "app", fill)

    code, said = end_of_main(capsys)

    assert code == cli.EXIT_WRONG
    assert "/lake/batches: No space left on device; make room" in said


def test_a_url_that_is_none_of_postgres_is_told_and_no_traceback() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"no connection to the warehouse.*bogus"),
        connect("postgresql://127.0.0.1:1/x?bogus=1"),
    ):
        pass


@pytest.mark.parametrize(
    "options", [{"endpoint_url": "http://127.0.0.1:9", "key": "a", "secret": "b"}, {"no_such_option": 1}]
)
def test_a_lake_that_cannot_be_reached_is_told_before_any_work(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="the lake 's3://nowhere/lake' cannot be reached"):
        open_lake(Settings.load(lake_url="s3://nowhere/lake", lake_options=options))


def test_a_shard_that_is_misspelt_is_not_taken_for_one_in_which_all_is_well(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))

    require_shard(lake, None)
    with pytest.raises(ConfigurationError, match="no shard 'tail~0'"):
        require_shard(lake, "tail~0")


def test_a_relay_that_somebody_else_follows_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def refuse(*_: object, **__: object) -> bool:
        await asyncio.sleep(0)
        return False

    monkeypatch.setattr(firehose, "follow", refuse)
    settings = Settings.load(home=tmp_path, postgres_url=NO_DATABASE, relay_urls=("https://a.test", "https://b.test"))

    with pytest.raises(ConfigurationError, match=r"another consumer follows https://"):
        firehose.run_firehose(settings, Console(quiet=True))


def test_a_verifier_ends_with_its_input_and_not_by_the_signals_of_a_terminal() -> None:
    command = (sys.executable, "-m", "zeppelin_pipeline.firehose.verifier_process")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wait_until_ignored(process.pid, {signal.SIGINT, signal.SIGTERM})
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def wait_until_ignored(pid: int, wanted: set[signal.Signals]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        (mask,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn:"))
        if all(mask >> (number - 1) & 1 for number in wanted):
            return
        time.sleep(0.1)
    raise TimeoutError(f"the process {pid} does not ignore {wanted}")
