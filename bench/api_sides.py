"""The services that the benches of the API ask: ours in a process of its own, and the official AppView; what each uses.

Processor time is that of the service's processes and of the Postgres server that it reads, which the two may share:
only one of them is asked at a time. Read from `/proc`, so on Linux only.
"""

import os
import sys
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.stage_cost import children_of, peak_bytes_of, tree_cpu_seconds
from tests.conformance.appview import LIKE_OFFICIAL
from zeppelin_pipeline.stack.child import Child, Program, answers
from zeppelin_pipeline.stack.ports import free_port
from zeppelin_pipeline.stack.process_table import PROC, command_line

GRACE_SECONDS = 10.0
_LISTENS = "0A"
#: What the official AppView keeps its caches in.
_REDIS = "redis-server"


@dataclass(frozen=True, slots=True)
class Service:
    """One service that answers.

    Attributes:
        name: `ours` or `official`.
        url: without a path.
        pids: of its processes.
        server_pid: of the Postgres server that it reads.
    """

    name: str
    url: str
    pids: tuple[int, ...]
    server_pid: int

    def cpu_seconds(self) -> tuple[float, float]:
        """Used so far by its processes, and by the Postgres server."""
        return sum(map(tree_cpu_seconds, self.pids)), tree_cpu_seconds(self.server_pid)

    def peak_bytes(self) -> int:
        """Resident memory of the largest of its processes, at its highest so far."""
        return max(peak_bytes_of(each) for pid in self.pids for each in (pid, *children_of(pid)))


@contextmanager
def our_service(
    postgres_url: str, server_pid: int, plc_url: str = "http://127.0.0.1:1", **settings: str
) -> Generator[Service]:
    """Our API as it is served, one worker, as strict as the official AppView and without limits by address.

    Args:
        postgres_url: of the warehouse.
        server_pid: of its Postgres server.
        plc_url: of the PLC directory.
        settings: further ones, by their names in the environment without the prefix.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "ZEPPELIN_POSTGRES_URL": postgres_url,
        "ZEPPELIN_PLC_URL": plc_url,
        "ZEPPELIN_ALLOW_PRIVATE_HOSTS": "true",
        **_prefixed(
            {
                "PORT": str(port),
                **LIKE_OFFICIAL,
                **settings,
            }
        ),
    }
    program = Program("api", (sys.executable, "-m", "zeppelin_api"), environment, answers(f"{url}/xrpc/_health"))
    with tempfile.TemporaryDirectory(prefix="zeppelin-bench-api-") as folder:
        child = Child(program, Path(folder))
        try:
            child.wait_until_ready()
            yield Service("ours", url, (child.group,), server_pid)
            child.check()
        finally:
            child.stop(GRACE_SECONDS)


def _prefixed(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"ZEPPELIN_API_{name.upper()}": value for name, value in settings.items()}


def official_service(url: str, server_pid: int) -> Service:
    """The official AppView that runs at that URL, with the Redis that was started beside it."""
    pid = _listener(urlsplit(url).port or 80)
    siblings = children_of(_parent_of(pid))
    return Service("official", url, (pid, *(each for each in siblings if _REDIS in command_line(each))), server_pid)


@contextmanager
def suggested_accounts(postgres_url: str, dids: Iterable[str]) -> Generator[None]:
    """The official AppView suggests these accounts, as if its operator had named them; nobody again in the end.

    Args:
        postgres_url: of its database.
        dids: of the accounts.
    """
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        found = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE tablename = 'suggested_follow'")
        (table,) = [sql.Identifier(*row) for row in found]
        insert = sql.SQL('INSERT INTO {} (did, "order") SELECT * FROM unnest(%s::text[]) WITH ORDINALITY')
        connection.execute(insert.format(table), [list(dids)])
        try:
            yield
        finally:
            connection.execute(sql.SQL("DELETE FROM {}").format(table))


def _listener(port: int) -> int:
    """The process that listens on a port of this machine."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and sockets & _open_files(folder):
            return int(folder.name)
    raise AssertionError(f"no process listens on port {port}")


def _listening_inodes(port: int) -> Generator[str]:
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(folder: Path) -> set[str]:
    try:
        return {os.readlink(file) for file in (folder / "fd").iterdir()}  # noqa: PTH115 - no path, but a socket's name
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return set()  # ended meanwhile, or somebody else's


def _parent_of(pid: int) -> int:
    return int((PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
