"""The official network with its AppView (npm's `appview.mjs`), its Redis and its databases, as a context manager."""

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tests.network.node import NODE, PACKAGE, node_environment
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.stack.ports import free_port

STOP_SECONDS = 30
#: Of the AppView, in the server that both sides share.
OFFICIAL_DATABASE = "official"
#: Our API's settings by which it answers as the official AppView does here: where pictures and videos are, how strict
#: it is, and no limits.
LIKE_OFFICIAL = {
    "image_url_pattern": "https://cdn.test/img/{preset}/plain/{did}/{cid}",
    "video_playlist_url_pattern": "https://video.test/watch/{did}/{cid}/playlist.m3u8",
    "video_thumbnail_url_pattern": "https://video.test/watch/{did}/{cid}/thumbnail.jpg",
    "third_party_blocks_hide": "true",
    "detached_quotes_hide": "true",
    "rate_limit_requests": "0",
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the official servers listen.

    Attributes:
        appview_url: of the AppView, whose answers are the truth.
        pds_urls: URL of each PDS by its name, `alpha` and `beta`.
        handle_domains: the domain below which each PDS gives out handles, by the PDS's name.
    """

    appview_url: str
    plc_url: str
    ozone_url: str
    ozone_did: str
    pds_urls: dict[str, str]
    handle_domains: dict[str, str]

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The addresses in the line that the servers print when they are up."""
        return cls(
            appview_url=document["appview"],
            plc_url=document["plc"],
            ozone_url=document["ozone"],
            ozone_did=document["ozoneDid"],
            pds_urls={name: pds["url"] for name, pds in document["pds"].items()},
            handle_domains={name: pds["handleDomain"].removeprefix(".") for name, pds in document["pds"].items()},
        )

    def document(self) -> dict[str, Any]:
        """All fields, for a file that another process reads."""
        return asdict(self)


class OfficialNetwork:
    """The running servers: where they are, and how parts of their contents are written."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self.addresses = Addresses.of(self._hear())

    def seed(self, name: str) -> dict[str, Any]:
        """Writes a part of the contents; gives what was written, when the AppView has indexed it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"seed {name}\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(STOP_SECONDS)
            raise AssertionError(f"the official servers ended with {code}:\n{self._log.read_text(encoding='utf-8')}")
        return json.loads(line)


@contextmanager
def running_official_network(home: Path, postgres: EmbeddedPostgres) -> Generator[OfficialNetwork]:
    """Starts the servers with empty databases and ends them; their files are in `home`."""
    folder = home / "official"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "official.log"
    databases = ("official_plc", OFFICIAL_DATABASE)
    for name in databases:
        postgres.drop_database(name)
    plc_url, url = map(postgres.create_database, databases)
    with (
        _running_redis(folder) as redis_host,
        log.open("wb") as errors,
        subprocess.Popen(
            [NODE, "--no-deprecation", "appview.mjs"],
            cwd=PACKAGE,
            env={
                **node_environment(),
                "DB_POSTGRES_URL": url,
                "PLC_DATABASE": plc_url,
                "REDIS_HOST": redis_host,
                "TMPDIR": str(folder),
                "LOG_ENABLED": "true",
                "LOG_LEVEL": "warn",
                "LOG_DESTINATION": str(folder / "services.log"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield OfficialNetwork(process, log)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()  # how it is asked to stop
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def _running_redis(folder: Path) -> Generator[str]:
    """A Redis that keeps nothing, as `host:port`."""
    program = shutil.which("redis-server")
    if program is None:
        raise AssertionError("the official AppView needs Redis: install it (Debian: apt-get install redis-server)")
    port = free_port()
    keeps_nothing = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    with subprocess.Popen(
        [program, "--bind", "127.0.0.1", "--port", str(port), *keeps_nothing],
        stdout=subprocess.DEVNULL,
        env={**os.environ},
    ) as redis:
        try:
            yield f"127.0.0.1:{port}"
        finally:
            redis.terminate()
