"""The values that describe a devnet: its configuration, its accounts. No behaviour beyond derived properties."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from zeppelin_pipeline.atproto.crypto import Curve
from zeppelin_pipeline.devnet.faults import Fault, RelayFaults
from zeppelin_pipeline.devnet.rate_limit import RateLimit
from zeppelin_pipeline.errors import ConfigurationError

FIRST_MICROS = 1_700_000_000_000_000
"""When the network's history begins (2023-11-14): fixed, so that a seed gives the same bytes on any day."""

LAST_MICROS = 1_780_000_000_000_000
"""When the seeded history ends (2026-05-28). Live commits carry the real time."""


class AccountStatus(StrEnum):
    """Why an account is not active, in the words of `com.atproto.sync.listRepos`; ACTIVE is ours, for none."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    TAKENDOWN = "takendown"
    SUSPENDED = "suspended"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """The firehose: how fast it runs and how much of it the relay can replay.

    Attributes:
        events_per_second: rate of new events over the whole network; 0 makes no events.
        backlog_events: how many events the relay keeps for cursors; older ones are `OutdatedCursor`.
        queue_events: how far one consumer may lag behind before it is dropped as `ConsumerTooSlow`.
        identity_share: share of events that are `#identity`.
        account_share: share of events that are `#account`.
        sync_share: share of events that are `#sync`.
        moved_share: share of events in which an account goes to another host.
        deleted_share: share of events in which an account is deleted, for ever.
        delete_share: share of commits that delete a record; at a half, repositories do not grow.
        faults: what the relay does wrong.
        accounts: how many accounts write at most; their trees are held in memory.
        first_seq: sequence number of the first event. A relay that starts anew should go on above its old ones.
        last_seq: after this event there are no more; None for no end.
    """

    events_per_second: float = 0.0
    backlog_events: int = 50_000
    queue_events: int = 20_000
    identity_share: float = 0.01
    account_share: float = 0.005
    sync_share: float = 0.002
    moved_share: float = 0.0
    deleted_share: float = 0.0
    delete_share: float = 0.12
    faults: RelayFaults = field(default_factory=RelayFaults)
    accounts: int = 1_000
    first_seq: int = 1
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class DevnetConfig:
    """A network, wholly determined: the same configuration makes the same DIDs, keys, records and CIDs.

    Attributes:
        repos: how many accounts, each with one repository.
        hosts: how many PDS hosts they are spread over, the first the largest.
        seed: what every random choice descends from.
        mean_records: mean records of a repository; sizes are log-normal around it.
        odd_share: share of likes, follows and blocks in a valid but unusual form (other time formats, unknown fields).
        inactive_share: share of accounts that are deactivated, taken down or suspended.
        p256_share: share of accounts that sign with p256; the others use k256.
        rate_limit: what each host allows one client.
        live: the firehose.
        faults: (host number, fault) pairs that stand from the start.
        labels: how many accounts and posts are labelled by the first account, which is active then; 0 for no labeler.
        web_ports: of localhost: the accounts from the second on are did:web, and each has its document at one of these.
        base_port: 0 lets the system choose; else the PLC directory has this port, the relay the next, then the hosts,
            then the labeler.
        data_dir: where made repositories are kept between runs; None is a temporary folder, removed at the end.
    """

    repos: int = 100
    hosts: int = 3
    seed: int = 1
    mean_records: float = 300.0
    odd_share: float = 0.01
    inactive_share: float = 0.015
    p256_share: float = 0.1
    rate_limit: RateLimit = field(default_factory=RateLimit)
    live: LiveConfig = field(default_factory=LiveConfig)
    faults: tuple[tuple[int, Fault], ...] = ()
    labels: int = 0
    web_ports: tuple[int, ...] = ()
    base_port: int = 0
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made; ConfigurationError."""
        if self.repos < 1 or self.hosts < 1 or self.mean_records < 1:
            raise ConfigurationError("a devnet has at least one repository, one host and one record a repository")
        if len(self.web_ports) >= self.repos:
            raise ConfigurationError(f"{len(self.web_ports)} accounts of did:web are too many for {self.repos}")
        for host, fault in self.faults:
            if not 0 <= host < self.hosts:
                raise ConfigurationError(f"there is no host {host} for {fault.kind}: hosts are 0 to {self.hosts - 1}")


@dataclass(frozen=True, slots=True)
class Account:
    """One account as it stands when the network starts.

    Attributes:
        index: its number, 0 for the first; everything about it derives from the seed and this.
        did: `did:plc:…`, the hash of its signed genesis operation, or `did:web:localhost%3A…`.
        handle: `ada-12.devnet.test`.
        host: number of the PDS host that its DID document names.
        former_host: number of a host that still lists an older copy of it; None for nearly all.
        curve: `k256` or `p256`, of its signing key.
        secret: the 32 bytes of its signing key.
        status: whether it is active, or why not.
        created_micros: when it was made, microseconds since the epoch, UTC.
    """

    index: int
    did: str
    handle: str
    host: int
    former_host: int | None
    curve: Curve
    secret: bytes
    status: AccountStatus
    created_micros: int

    @property
    def is_web(self) -> bool:
        """Whether a host of its own has its document, and not the PLC directory."""
        return self.did.startswith("did:web:")

    @property
    def is_active(self) -> bool:
        """Whether its host serves its repository."""
        return self.status is AccountStatus.ACTIVE
