"""What the network is at this moment: statuses, handles, and each repository as it would be served. No HTTP here."""

from dataclasses import dataclass
from threading import RLock
from typing import Protocol

from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.live_repository import LiveRepository
from zeppelin_pipeline.devnet.model import Account, AccountStatus
from zeppelin_pipeline.devnet.repositories import RepositoryMaker
from zeppelin_pipeline.devnet.store import RepositoryStore
from zeppelin_pipeline.devnet.tree import Tree


class ServedRepository(Protocol):
    """A repository in one state."""

    @property
    def rev(self) -> str:
        """The commit's revision."""
        ...

    @property
    def head(self) -> bytes:
        """CID of the commit."""
        ...

    def car(self) -> bytes:
        """All of it as a CAR."""
        ...


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record of a repository as it stands."""

    key: bytes
    cid: bytes
    block: bytes

    @property
    def collection(self) -> str:
        """The NSID before the slash."""
        return self.key.partition(b"/")[0].decode()

    @property
    def rkey(self) -> str:
        """The record key after the slash."""
        return self.key.partition(b"/")[2].decode()


@dataclass(frozen=True, slots=True)
class RemadeRepository:
    """A live repository with a fault put in it."""

    rev: str
    head: bytes
    content: bytes

    def car(self) -> bytes:
        """All of it as a CAR."""
        return self.content


class NetworkState:
    """The accounts and repositories as they stand. Repositories may be asked for from several threads."""

    def __init__(self, maker: RepositoryMaker, store: RepositoryStore) -> None:
        self.population = maker.population
        self._maker = maker
        self._store = store
        self._statuses: dict[int, AccountStatus] = {}
        self._handles: dict[int, str] = {}
        self._renamed: dict[str, Account] = {}
        self._live: dict[int, LiveRepository] = {}
        self._homes: dict[int, int] = {}
        hosts = range(maker.population.config.hosts)
        self._on_host = {host: {each.did: each for each in maker.population.on_host(host)} for host in hosts}
        self._lock = RLock()

    def status(self, account: Account) -> AccountStatus:
        """Whether the account is active, or why not."""
        return self._statuses.get(account.index, account.status)

    def set_status(self, account: Account, status: AccountStatus) -> None:
        """Change it."""
        self._statuses[account.index] = status

    def home(self, account: Account) -> int:
        """Number of the host that the account is on."""
        return self._homes.get(account.index, account.host)

    def move(self, account: Account, host: int) -> None:
        """Have the account go to another host, which goes on with its repository."""
        self._homes[account.index] = host
        arrived = {**self._on_host[host], account.did: account}
        self._on_host[host] = dict(sorted(arrived.items(), key=lambda entry: entry[1].index))

    def forget(self, account: Account, host: int) -> None:
        """Have a host know nothing any more of an account that has moved away."""
        self._on_host[host] = {did: each for did, each in self._on_host[host].items() if each is not account}

    def on_host(self, host: int) -> dict[str, Account]:
        """The accounts that a host lists, by DID in the order of their numbers: those that moved away among them."""
        return self._on_host[host]

    def status_on(self, account: Account, host: int) -> AccountStatus:
        """How the account stands, as a host says: one that has moved away is deactivated there."""
        status = self.status(account)
        has_moved_away = self.home(account) != host and account.former_host != host
        return AccountStatus.DEACTIVATED if has_moved_away and status is AccountStatus.ACTIVE else status

    def handle(self, account: Account) -> str:
        """The handle that stands."""
        return self._handles.get(account.index, account.handle)

    def rename(self, account: Account, handle: str) -> None:
        """Give the account another handle."""
        self._handles[account.index] = handle
        self._renamed[handle] = account

    def find(self, identifier: str) -> Account | None:
        """The account of a DID or a handle; None when there is none."""
        if identifier.startswith("did:"):
            return self.population.by_did.get(identifier)
        account = self._renamed.get(identifier) or self.population.by_handle.get(identifier)
        return account if account is None or self.handle(account) == identifier else None

    def repository(self, account: Account, fault: FaultKind | None = None) -> ServedRepository:
        """The repository of an account, with a content fault in it if told."""
        live = self._live.get(account.index)
        if live is None or fault is FaultKind.TWO_HOSTS:
            return self._store.load(account, fault)
        if fault is None:
            return live
        with self._lock:
            records = [(key, block) for key, _, block in live.records()]
            made = self._maker.build(account, live.rev, records, fault)
        return RemadeRepository(made.rev, made.head, made.car)

    def at_hand(self, account: Account, fault: FaultKind | None = None) -> ServedRepository | None:
        """The same if it lives or is a file that is known, so that no thread is needed to serve it."""
        live = self._live.get(account.index)
        if live is None or fault is FaultKind.TWO_HOSTS:
            return self._store.known(account, fault)
        return live if fault is None else None

    def opened(self, account: Account) -> LiveRepository | None:
        """The account's repository if it has been written to before: at hand at once."""
        return self._live.get(account.index)

    def live(self, account: Account) -> LiveRepository:
        """The account's repository, to be written to; made when it is first asked for."""
        with self._lock:
            found = self._live.get(account.index)
            if found is None:
                key = self.population.signing_key(account)
                found = LiveRepository(account.did, self._store.load(account), key, self._lock)
                self._live[account.index] = found
            return found

    def records(self, account: Account, fault: FaultKind | None = None) -> list[StoredRecord]:
        """The records of an account, in the order of keys."""
        return records_in(self.repository(account, fault).car())

    def changes(self, account: Account, since: str, fault: FaultKind | None = None) -> bytes:
        """A CAR of the blocks that came after a revision: none for the present one, all for one before the seeded."""
        live = self._live.get(account.index)
        if live is not None and fault is None:
            return live.car_since(since)
        served = self.repository(account, fault)
        return served.car() if since < served.rev else write_car(served.head, [])

    def proof(self, account: Account, key: bytes) -> bytes:
        """A CAR of the commit, the nodes that prove a record's presence or absence, and the record if there is one."""
        served = self.repository(account)
        car = served.car()
        opened = open_repository(car)
        entries = dict(opened.entries)
        blocks = {served.head: _block(car, opened.blocks[served.head])}
        blocks |= {node.cid: node.block for node in Tree(opened.entries).nodes_around(key)}
        if key in entries:
            blocks[entries[key]] = _block(car, opened.blocks[entries[key]])
        return write_car(served.head, blocks.items())


def _block(car: bytes, place: tuple[int, int]) -> bytes:
    return car[place[0] : place[1]]


def records_in(car: bytes) -> list[StoredRecord]:
    """The records of a whole CAR, in the order of keys."""
    opened = open_repository(car)
    places = opened.blocks
    return [StoredRecord(key, cid, _block(car, places[cid])) for key, cid in opened.entries]
