"""The embedded server's life: starts, restarts, crashes, and two processes that want the same folder."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from zeppelin_pipeline.errors import ConfigurationError, CorruptStateError
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.stack.process_table import command_line

SMALL = {"max_connections": "10", "shared_buffers": "16MB"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account can reach, also when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="zeppelin-tests-") as path:
        Path(path).chmod(0o755)
        yield Path(path) / "postgres"


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue] - tests' own text
        assert row is not None
        return row[0]


def test_the_server_is_postgres_18_in_utf8_with_durability_on(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url()
    assert str(ask(url, "SHOW server_version")).startswith("18.")
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database LIMIT 1") == "b C.UTF-8"
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert ask(url, f"SHOW {setting}") == "on"


def test_a_wrong_password_is_refused(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url().replace(":", ":x", 2).replace("postgresql:x", "postgresql:")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_the_server_listens_on_loopback_alone(postgres_server: EmbeddedPostgres) -> None:
    assert ask(postgres_server.url(), "SHOW listen_addresses") == "127.0.0.1"
    assert ask(postgres_server.url(), "SHOW unix_socket_directories") == ""


def test_data_password_and_port_survive_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        url = server.create_database("kept")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE one AS SELECT 1 AS value")
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        assert server.url("kept") == url
        assert ask(url, "SELECT value FROM one") == 1


def test_stopping_leaves_no_process_behind(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        pid = server.pid
        assert pid is not None
        assert "postgres" in command_line(pid)
    assert command_line(pid) == ""
    assert server.pid is None


def test_open_sessions_do_not_delay_the_shutdown(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=SMALL)
    server.start()
    session = psycopg.connect(server.url())
    session.execute("SELECT 1")
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 10
    with pytest.raises(psycopg.errors.AdminShutdown):
        session.execute("SELECT 1")


def test_creating_a_database_twice_keeps_the_first(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        with psycopg.connect(server.create_database("twice")) as connection:
            connection.execute("CREATE TABLE one AS SELECT 1 AS value")
        assert ask(server.create_database("twice"), "SELECT value FROM one") == 1
        server.drop_database("twice")
        server.drop_database("twice")
        assert ask(server.url(), "SELECT count(*) FROM pg_database WHERE datname = 'twice'") == 0


def test_a_killed_server_is_started_again_over_its_stale_pid_file(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=SMALL)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE one AS SELECT 1 AS value")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    stale = folder / "data" / "postmaster.pid"
    assert stale.exists()
    # The dead server's number now belongs to a living process of the same user that is no server.
    stale.write_text(stale.read_text().replace(stale.read_text().split("\n")[0], str(os.getpid()), 1))
    with EmbeddedPostgres(folder, settings=SMALL) as again:
        assert ask(again.url(), "SELECT value FROM one") == 1


def test_a_server_that_was_killed_is_revived_on_its_port_with_what_was_committed(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        assert not server.revive(), "it lives"
        url = server.create_database("kept")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE one AS SELECT 1 AS value")
            os.kill(_pid(server), signal.SIGKILL)
            while server.pid is not None:
                time.sleep(0.01)
            assert server.revive()
        assert server.url("kept") == url
        assert ask(url, "SELECT value FROM one") == 1


def test_a_server_reads_again_what_it_had_in_memory(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    log = folder / "server.log"
    said = len(log.read_text())
    with EmbeddedPostgres(folder):
        deadline = time.monotonic() + 30
        while "autoprewarm successfully prewarmed" not in log.read_text()[said:]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_port_taken_in_the_meantime_is_exchanged_for_another(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        before = server.port
    (folder / "port").write_text(str(before))
    with EmbeddedPostgres(folder.parent / "other", port=before, settings=SMALL) as other:
        assert other.port == before
        with EmbeddedPostgres(folder, settings=SMALL) as server:
            assert server.port != before
            assert ask(server.url(), "SELECT 1") == 1
        with pytest.raises(ConfigurationError, match="is taken"):
            EmbeddedPostgres(folder, port=before, settings=SMALL).start()


def test_a_second_process_shares_the_server_and_leaves_it_running(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        program = (
            "import sys; from pathlib import Path;"
            "from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres as E\n"
            "with E(Path(sys.argv[1])) as shared: print(shared.url())"
        )
        seen = subprocess.run(
            [sys.executable, "-c", program, folder], check=True, capture_output=True, text=True, timeout=30
        )
        assert seen.stdout.strip() == server.url()
        assert ask(server.url(), "SELECT 1") == 1


def test_a_server_whose_starter_was_killed_is_taken_over_and_stopped(folder: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path;"
        "from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres as E\n"
        "E(Path(sys.argv[1])).start(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, folder], check=False, timeout=30).returncode == 9
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        orphan = server.pid
        assert orphan is not None
        assert ask(server.url(), "SELECT 1") == 1
    assert command_line(orphan) == ""


def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(folder: Path) -> None:
    with pytest.raises(CorruptStateError, match="shared_buffers"):
        EmbeddedPostgres(folder, settings={"shared_buffers": "nonsense"}).start()
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        assert ask(server.url(), "SELECT 1") == 1


def test_a_configured_folder_without_postgres_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no PostgreSQL 18 in"):
        EmbeddedPostgres(folder, bindir=folder).start()


def test_root_keeps_its_data_where_no_other_user_may_enter() -> None:
    with tempfile.TemporaryDirectory(prefix="zeppelin-tests-") as closed:
        Path(closed).chmod(0o700)
        with EmbeddedPostgres(Path(closed) / "postgres", settings=SMALL) as server:
            assert ask(server.url(), "SELECT 1") == 1


def test_each_test_gets_a_migrated_database_of_its_own(postgres_url: str, empty_postgres_url: str) -> None:
    assert ask(postgres_url, "SELECT count(*) FROM warehouse") == 1
    assert ask(postgres_url, "SELECT count(*) FROM migration") != 0
    assert ask(empty_postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def _pid(server: EmbeddedPostgres) -> int:
    assert server.pid is not None
    return server.pid
