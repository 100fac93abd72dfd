"""A devnet in a thread of the caller's process, with its truth at hand: for tests and benches."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from zeppelin_pipeline.atproto.crypto import PrivateKey, PublicKey
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.faults import Fault
from zeppelin_pipeline.devnet.host import StandingFault
from zeppelin_pipeline.devnet.index import CLOCK_IDS
from zeppelin_pipeline.devnet.live import LiveFeed
from zeppelin_pipeline.devnet.live_repository import Write
from zeppelin_pipeline.devnet.model import Account, AccountStatus, DevnetConfig
from zeppelin_pipeline.devnet.network import Devnet
from zeppelin_pipeline.devnet.state import StoredRecord


@dataclass(frozen=True, slots=True)
class HostHandle:
    """One host of a running network."""

    number: int
    url: str

    @property
    def hostname(self) -> str:
        """`127.0.0.1:port`."""
        return self.url.removeprefix("http://")


class DevnetHandle:
    """A running network, seen from a test."""

    def __init__(self, devnet: Devnet, loop: asyncio.AbstractEventLoop) -> None:
        self._devnet = devnet
        self._loop = loop

    @property
    def plc_url(self) -> str:
        """The PLC directory."""
        return self._devnet.urls.plc

    @property
    def relay_url(self) -> str:
        """The relay."""
        return self._devnet.urls.relay

    @property
    def dns(self) -> str:
        """The name server of the accounts' handles, `address:port`."""
        return self._devnet.urls.dns

    @property
    def hosts(self) -> list[HostHandle]:
        """The PDS hosts."""
        return [HostHandle(host.number, host.url) for host in self._devnet.hosts]

    @property
    def labeler(self) -> str | None:
        """DID of the network's labeler; None where nobody labels."""
        return None if self._devnet.labeler is None else self._devnet.labeler.did

    @property
    def labels(self) -> dict[str, list[str]]:
        """The labels that stand, values by subject."""
        return self._devnet.labels

    def set_fault(self, host_number: int, fault: Fault) -> None:
        """Put a fault on a host, besides those that it has."""
        self._devnet.hosts[host_number].faults.append(StandingFault(fault))

    def clear_faults(self, host_number: int | None = None) -> None:
        """Mend a host; None mends all."""
        for host in self._devnet.hosts:
            if host_number in {None, host.number}:
                host.faults.clear()

    def struck(self, host_number: int, fault: Fault) -> list[Account]:
        """The accounts on a host that a fault hits."""
        return [account for account in self._devnet.state.on_host(host_number).values() if fault.hits(account.did)]

    def requests(self, host_number: int) -> dict[str, int]:
        """How many requests a host has had, by method."""
        return dict(self._devnet.hosts[host_number].requests)

    def accounts(self) -> list[Account]:
        """All accounts, as they were at the start (`status_of` tells how they stand)."""
        return list(self._devnet.state.population.accounts)

    def status_of(self, did: str) -> AccountStatus:
        """How an account stands."""
        return self._devnet.state.status(self._account(did))

    def records_of(self, did: str) -> list[StoredRecord]:
        """The true records of an account as they stand, in the order of keys, whatever faults its host has."""
        return self._devnet.state.records(self._account(did))

    def rev_of(self, did: str) -> str:
        """The revision of an account's repository as it stands."""
        return self._devnet.state.repository(self._account(did)).rev

    def write(self, did: str, writes: list[Write]) -> str:
        """Commit writes to an account's repository; the new revision."""
        account = self._account(did)
        rev = int_to_tid((time.time_ns() // 1000) << 10 | account.index % CLOCK_IDS)
        return self._devnet.state.live(account).commit(writes, rev).rev

    def live(self, events: int) -> int:
        """Have people write, delete, rename and leave, and the relay tell of it; gives the last sequence number."""

        async def make() -> int:
            for _ in range(events):
                await self._devnet.feed.step()
            return self._devnet.firehose.last_seq

        return asyncio.run_coroutine_threadsafe(make(), self._loop).result()

    @property
    def events_made(self) -> int:
        """Events that people made so far, those among them of which the relay never told."""
        return self._devnet.feed.made

    @property
    def mistold(self) -> dict[str, int]:
        """How often the relay did what wrong."""
        return dict(self._devnet.feed.mistelling.told)

    def set_paused(self, is_paused: bool) -> None:
        """Have nobody write at the configured rate, or everybody again; an event in the making is still told of."""

        async def act() -> None:
            self._devnet.feed.is_paused = is_paused

        asyncio.run_coroutine_threadsafe(act(), self._loop).result()

    def hang_up(self, *, is_forgetting: bool = False, rewound_events: int = 0) -> None:
        """Have the relay drop its consumers, as `Firehose.hang_up`."""
        hang_up = partial(self._devnet.firehose.hang_up, is_forgetting=is_forgetting, rewound_events=rewound_events)
        self._loop.call_soon_threadsafe(hang_up)

    def tell(self, act: Callable[[LiveFeed, Account], int], did: str) -> int:
        """Have the feed do a thing with an account, and the relay tell of it; gives its sequence number."""

        async def do() -> int:
            return act(self._devnet.feed, self._account(did))

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def set_status(self, did: str, status: AccountStatus) -> None:
        """Change how an account stands."""
        self._devnet.state.set_status(self._account(did), status)

    def handle_of(self, did: str) -> str:
        """The handle that an account has, by the directory and by DNS."""
        return self._devnet.state.handle(self._account(did))

    def rename(self, did: str) -> str:
        """Give an account another handle, and tell of it on the firehose; the new handle."""
        self._devnet.feed.rename(self._account(did))
        return self.handle_of(did)

    def steal_away(self, did: str) -> None:
        """Have an account go to the next host, and nobody be told but the directory."""
        self._devnet.feed.steal_away(self._account(did))

    def change_key(self, did: str) -> str:
        """Give an account a new signing key, and tell of it on the firehose; its multibase.

        What the account's repository holds stays signed by the key before.
        """
        key = PrivateKey.generate("k256").public_key
        self._devnet.feed.change_key(self._account(did), key.to_did_key())
        return key.to_multibase()

    def last_seq(self) -> int:
        """Sequence number of the newest event on the firehose."""
        return self._devnet.firehose.last_seq

    def frames(self, first: int, last: int) -> list[bytes]:
        """The events of some sequence numbers, as far as the relay can still tell of them."""
        return self._devnet.firehose.frames(first, last)

    def signing_key_of(self, did: str) -> PublicKey:
        """The key that an account's commits verify by."""
        return self._devnet.state.population.signing_key(self._account(did)).public_key

    def _account(self, did: str) -> Account:
        return self._devnet.state.population.by_did[did]


@contextmanager
def running_devnet(config: DevnetConfig) -> Generator[DevnetHandle]:
    """Serve a network from a thread of this process while the context is open."""
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    failures: list[BaseException] = []
    devnet = Devnet(config)

    async def serve() -> None:
        async with devnet:
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:  # noqa: BLE001  a thread's entry: the opener raises it
            failures.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            started.set()

    thread = threading.Thread(target=run, name="devnet", daemon=True)
    thread.start()
    started.wait()
    try:
        if not failures:
            yield DevnetHandle(devnet, loop)
    finally:
        if not failures:
            loop.call_soon_threadsafe(stop.set)
        thread.join()
    if failures:
        raise failures[0]
