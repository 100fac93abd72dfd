"""A real PostgreSQL server of our own on loopback: its life from `initdb` to a fast shutdown. Nothing of the warehouse.

One folder holds all of it:

    data/         the server's own data folder, owned by the account that it runs under
    server.log    what it says
    password      the superuser's, readable by us alone
    port          the port, kept between starts so that URLs stay good
    lock          held by the process that started the server, for as long as that process lives
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import psycopg
from psycopg import sql

from zeppelin_pipeline.errors import ConfigurationError, CorruptStateError
from zeppelin_pipeline.stack.ports import free_port, is_port_free
from zeppelin_pipeline.stack.postgres_account import choose_account
from zeppelin_pipeline.stack.postgres_binaries import find_postgres_binaries, prewarming_settings
from zeppelin_pipeline.stack.postgres_data import make_data_folder
from zeppelin_pipeline.stack.process_table import command_line

SUPERUSER = "zeppelin"
START_TIMEOUT_SECONDS = 120.0  # recovery after a crash replays up to max_wal_size
STOP_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.05
LOG_TAIL_BYTES = 2_000
#: What a server says over the folder of one that was killed, as long as a session of that one still lives.
STILL_IN_USE = "is still in use"
SMALL_SHARED_MEMORY_BYTES = 1 << 30

# Room for a bulk load on one machine. Nothing here touches durability: fsync, full_page_writes and synchronous_commit
# stay on. Nobody replicates or archives this server: an index, or a table written anew, is synced when it commits, and
# not logged as well, which would be a tenth of the server's time for indexes.
SERVER_SETTINGS: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "512MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def server_settings(shared_buffers_bytes: int) -> Mapping[str, str]:
    """The stack's settings, with so much memory for pages."""
    return {**SERVER_SETTINGS, "shared_buffers": f"{shared_buffers_bytes // 1024}kB"}


class EmbeddedPostgres:
    """One server over one folder; `start` and `stop`, or a `with` block.

    The process that starts the server holds the folder's lock. Another process that asks for the same folder meanwhile
    shares the running server and leaves it running; a server whose starter has died is taken over, and stopped by its
    new owner.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        bindir: Path | None = None,
        settings: Mapping[str, str] = SERVER_SETTINGS,
    ) -> None:
        """Describe a server; nothing is touched before `start`.

        Args:
            data_dir: the folder for everything (see the module's text); made when missing.
            port: a fixed port; None for the one of last time, or any free one.
            bindir: a folder with `initdb` and `postgres`; None to look for one.
            settings: server settings given on its command line.
        """
        self.folder = data_dir.resolve()
        self._fixed_port = port
        self._configured_bindir = bindir
        self._settings = settings
        self._lock: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that the server listens on, once it has been started in this folder."""
        return int((self.folder / "port").read_text(encoding="ascii"))

    @property
    def pid(self) -> int | None:
        """The server's process id; None when no server runs in this folder."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if _is_server_of(pid, self._data) else None

    def url(self, database: str = "postgres") -> str:
        """A libpq URL of a database of this server, password included."""
        password = (self.folder / "password").read_text(encoding="ascii")
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the data folder when missing, start the server, and return when it answers.

        Raises:
            ConfigurationError: no usable binaries or account, or the fixed port is taken.
            CorruptStateError: the server ended while starting, or did not answer in time (with the log's end).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = _try_lock(self.folder / "lock")
            if self.pid is None and self._lock is None:
                self._lock = self._wait_for_owner()
            if self.pid is None:
                self._initialize_and_launch()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> bool:
        """Start the server anew, on its port, if it has died since `start`; gives whether it had.

        Nothing happens where another process owns it.

        Raises:
            CorruptStateError: as `start`.
        """
        if self._lock is None or self.pid is not None:
            return False
        if self._process is not None:
            self._process.poll()  # collects the child
        self._launch()
        self._wait_until_ready()
        return True

    def stop(self) -> None:
        """Shut down fast (sessions end, data is flushed) and wait; a server that another process owns is left alone.

        Raises:
            CorruptStateError: the server was still there after the fast and the immediate shutdown.
        """
        if self._lock is None:
            return
        pid = self.pid
        if pid is not None:
            self._shut_down(pid)
        self._process = None
        self._lock.close()
        self._lock = None

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database, empty or a copy of a template, unless it is there; return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if known is None:
                clause = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + clause)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, ending the sessions in it; nothing happens when it is not there."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _wait_for_owner(self) -> BinaryIO | None:
        """Another process holds the lock and its server is not up yet: wait for either to change."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            lock = _try_lock(self.folder / "lock")
            if lock is not None or self.pid is not None:
                return lock
            time.sleep(POLL_SECONDS)
        raise CorruptStateError(f"another process holds {self.folder / 'lock'} but starts no server")

    def _initialize_and_launch(self) -> None:
        bindir = find_postgres_binaries(self._configured_bindir)
        account = choose_account(bindir, self._data)
        if not self._data.exists():
            make_data_folder(self.folder, SUPERUSER, bindir, account)
        self._choose_port()
        self._launch()

    def _choose_port(self) -> None:
        """Keep the port of last time when it is still free: bookmarks and other processes' URLs stay good."""
        kept = self.folder / "port"
        if self._fixed_port is not None:
            if not is_port_free(self._fixed_port):
                raise ConfigurationError(f"port {self._fixed_port} for the embedded Postgres is taken")
            kept.write_text(str(self._fixed_port), encoding="ascii")
        elif not kept.exists() or not is_port_free(self.port):
            kept.write_text(str(free_port()), encoding="ascii")

    def _launch(self) -> None:
        bindir = find_postgres_binaries(self._configured_bindir)
        account = choose_account(bindir, self._data)
        # Left by a server that was killed. The number in it may have been given to another process since, and the
        # server would then refuse to start; `pid` has just shown that no server of this folder lives. Sessions that
        # outlive it are seen by their shared memory.
        self._pid_file.unlink(missing_ok=True)
        settings = {
            **prewarming_settings(bindir),
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": _shared_memory_type(),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the server's own binary
                [*account.prefix, bindir / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle, in our order
                **account.identity(),
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError as refused:
                self._check_progress(refused, deadline)
                time.sleep(POLL_SECONDS)
            else:
                return

    def _check_progress(self, refused: psycopg.OperationalError, deadline: float) -> None:
        """Give up when the server has ended, or when its time is over."""
        ended = self._process.poll() if self._process is not None else None
        is_in_time = time.monotonic() < deadline
        if ended is not None and is_in_time and STILL_IN_USE in self._log_tail():
            self._launch()
            return
        if ended is None and is_in_time:
            return
        state = f"ended with {ended}" if ended is not None else f"did not answer in {START_TIMEOUT_SECONDS:.0f} s"
        raise CorruptStateError(
            f"the embedded Postgres in {self.folder} {state} ({refused}); its log ends:\n{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        log = self.folder / "server.log"
        return log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if log.exists() else ""

    def _shut_down(self, pid: int) -> None:
        for way in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate: the next start replays the log
            os.kill(pid, way)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()  # collects the child, which otherwise stays as a zombie
                if not _is_server_of(pid, self._data):
                    return
                time.sleep(POLL_SECONDS)
        raise CorruptStateError(f"the embedded Postgres in {self.folder} (process {pid}) does not stop")


def _try_lock(path: Path) -> BinaryIO | None:
    """An open file that holds the lock until it is closed or the process ends; None when another holds it."""
    handle = path.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _is_server_of(pid: int, data: Path) -> bool:
    """Whether the process is a server over this very folder: numbers are given again, so the command line decides."""
    command = command_line(pid)
    return "postgres" in command and os.fspath(data) in command


def _shared_memory_type() -> str:
    """How parallel queries share memory: containers often have a /dev/shm of 64 MB, and large hash joins fail in it."""
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108 - asked for its size only
    except FileNotFoundError:
        return "posix"
    return "posix" if room.f_frsize * room.f_blocks >= SMALL_SHARED_MEMORY_BYTES else "mmap"
