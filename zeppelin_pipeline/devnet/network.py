"""The whole network in one process: sockets, servers, the parts put together, start and stop."""

import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from starlette.types import ASGIApp

from zeppelin_pipeline.devnet.directory import Directory, directory_app, web_app
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.firehose import Firehose
from zeppelin_pipeline.devnet.host import Host, RateLimiter, StandingFault
from zeppelin_pipeline.devnet.labeler import DevnetLabeler
from zeppelin_pipeline.devnet.labelling import label_network, make_labeler
from zeppelin_pipeline.devnet.live import LiveFeed
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.names import NameServer, names_socket
from zeppelin_pipeline.devnet.pds import host_app
from zeppelin_pipeline.devnet.relay import relay_app
from zeppelin_pipeline.devnet.repositories import make_repository_maker
from zeppelin_pipeline.devnet.serving import LoopbackServer, listening_socket, make_server, socket_url
from zeppelin_pipeline.devnet.state import NetworkState
from zeppelin_pipeline.devnet.store import RepositoryStore
from zeppelin_pipeline.signals import set_on_signals


@dataclass(frozen=True, slots=True)
class DevnetUrls:
    """Where a running network is found."""

    plc: str
    relay: str
    hosts: list[str] = field(default_factory=list[str])
    dns: str = ""
    labeler: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of a description file."""
        return {
            "plc_url": self.plc,
            "relay_url": self.relay,
            "hosts": self.hosts,
            "dns": self.dns,
            "labeler_url": self.labeler,
            "pid": os.getpid(),
        }

    def lines(self) -> list[str]:
        """For a person to read."""
        hosts = [f"host {number}  {url}" for number, url in enumerate(self.hosts)]
        labeler = [] if self.labeler is None else [f"labeler {self.labeler}"]
        return [f"plc     {self.plc}", f"relay   {self.relay}", f"dns     {self.dns} (UDP)", *hosts, *labeler]


class Devnet:
    """A network: an async context manager that serves while it is entered.

    Attributes:
        config: what it is made from.
        state: accounts and repositories as they stand; usable without serving.
        firehose: the relay's events.
        hosts: the PDS hosts, once entered.
        feed: what makes events, once entered.
        urls: where everything is, once entered.
        labeler: of the network, once entered; None where nobody labels.
        labels: of it that stand, values by subject.
    """

    def __init__(self, config: DevnetConfig) -> None:
        self.config = config
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if config.data_dir is None:
            self._folder = tempfile.TemporaryDirectory(prefix="devnet-")
        folder = Path(self._folder.name) if self._folder else config.data_dir
        assert folder is not None
        maker = make_repository_maker(config)
        self._index = maker.index
        self.state = NetworkState(maker, RepositoryStore(maker, folder))
        self.firehose = Firehose(config.live)
        self.hosts: list[Host] = []
        self.urls = DevnetUrls("", "")
        self.labeler: DevnetLabeler | None = None
        self.labels: dict[str, list[str]] = {}
        self._servers: list[tuple[LoopbackServer, asyncio.Task[None]]] = []

    async def __aenter__(self) -> Self:
        """Listen, then serve."""
        listeners = self._listen()
        plc, relay, *others = [socket_url(listener) for listener in listeners]
        hosts, others = others[: self.config.hosts], others[self.config.hosts :]
        labelers = others[: len(others) - len(self.config.web_ports)]
        self.urls = DevnetUrls(plc, relay, hosts, await self._serve_names(), *labelers)
        for url in labelers:
            self.labeler = make_labeler(self._index, url)
            self.labels = label_network(self.labeler, self._index, self.config.labels)
        directory = Directory(self.state.population, hosts, self.labeler)
        self.feed = LiveFeed(self.config.live, self.state, self._index, directory, self.firehose)
        self.hosts = [self._host(number, url) for number, url in enumerate(hosts)]
        apps: list[ASGIApp] = [
            directory_app(directory, self.state.population),
            relay_app(self.hosts, self.state, self.firehose, self.feed),
            *(host_app(host, self.state, directory) for host in self.hosts),
            *([] if self.labeler is None else [self.labeler.app]),
            *(web_app(directory, account) for account in self.state.population.accounts if account.is_web),
        ]
        for app, listener in zip(apps, listeners, strict=True):
            server = make_server(app)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            self._servers.append((server, task))
        await asyncio.gather(*(server.is_serving.wait() for server, _ in self._servers))
        self._feeding = asyncio.create_task(self.feed.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving; remove the temporary folder."""
        self._names.close()
        self._feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._feeding
        for server, _ in self._servers:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._servers))
        if self._folder is not None:
            self._folder.cleanup()

    async def _serve_names(self) -> str:
        """Serve the names at the directory's port number, which UDP has for itself; gives the address."""

        def holder_of(handle: str) -> str | None:
            account = self.state.find(handle)
            return None if account is None else account.did

        listener = names_socket(self.config.base_port)
        loop = asyncio.get_running_loop()
        self._names, _ = await loop.create_datagram_endpoint(lambda: NameServer(holder_of), sock=listener)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def _listen(self) -> list[socket.socket]:
        listeners: list[socket.socket] = []
        try:
            for place in range(self.config.hosts + 2 + bool(self.config.labels)):
                port = self.config.base_port + place if self.config.base_port else 0
                listeners.append(listening_socket(port))
            listeners += [listening_socket(port) for port in self.config.web_ports]
        except BaseException:
            for listener in listeners:
                listener.close()
            raise
        return listeners

    def _host(self, number: int, url: str) -> Host:
        standing = [
            StandingFault(fault)
            for place, fault in self.config.faults
            if place == number and fault.kind is not FaultKind.TWO_HOSTS
        ]
        limiter = RateLimiter(self.config.rate_limit)
        return Host(number, url, limiter, standing)


async def run_devnet(
    config: DevnetConfig, description: Path | None = None, tell: Callable[[str], None] | None = None
) -> None:
    """Serve a network until SIGTERM or SIGINT.

    Args:
        config: the network.
        description: where to write its URLs as JSON, once it serves; removed at the end.
        tell: is told the URLs, a line each.
    """
    until = set_on_signals()
    async with Devnet(config) as devnet:
        if description is not None:
            _write_description(description, devnet)
        if tell is not None:
            tell("\n".join(devnet.urls.lines()))
        await until.wait()
    if description is not None:
        _remove_description(description)


def wall_clock_seq() -> int:
    """A first sequence number above those of any earlier run: milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _remove_description(path: Path) -> None:
    path.unlink(missing_ok=True)


def _write_description(path: Path, devnet: Devnet) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    labeler = None if devnet.labeler is None else devnet.labeler.did
    content = devnet.urls.to_json() | {"labeler": labeler, "labels": devnet.labels}
    temporary.write_bytes(orjson.dumps(content))
    temporary.replace(path)
