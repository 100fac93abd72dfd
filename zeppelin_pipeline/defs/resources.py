"""Dagster's resources: typed shells around the settings, each giving a plain domain object."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.firehose.service import FirehoseSettings, firehose_settings
from zeppelin_pipeline.firehose.stream import relay_host
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.hosts.txt import TxtLookup
from zeppelin_pipeline.hosts.witnesses import Witness, documents_witness, manual_witness, relay_witness, scrape_witness
from zeppelin_pipeline.identity.handle_queue import QueueSettings
from zeppelin_pipeline.identity.handles import HandleResolver, HandleSettings
from zeppelin_pipeline.identity.mirror import PlcMirror, open_mirror
from zeppelin_pipeline.identity.plc_follow import FollowSettings
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.labels.service import LabelSettings, label_settings
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.compaction import CompactionSettings
from zeppelin_pipeline.repos.extract_output import Limits
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.pack import PackSettings
from zeppelin_pipeline.repos.plan import PlanSettings
from zeppelin_pipeline.repos.stale import StaleSettings
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.indexes import DEFAULT_LIMITS, BuildLimits


@dataclass(frozen=True, slots=True)
class LakeResource:
    """The lake by its URL: a folder, or `s3://bucket/prefix`, with its file system's options.

    A plain object: the fields of a configurable resource are shown in Dagster's pages, and the options hold a password.
    """

    url: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def open(self) -> Lake:
        """The lake; nothing is made yet."""
        return Lake(self.url, self.options)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The warehouse by its URL; without one, every use says which setting is missing.

    A plain object: the fields of a configurable resource are shown in Dagster's pages, and a URL holds a password.
    """

    url: str | None = field(repr=False)
    build_limits: BuildLimits = DEFAULT_LIMITS

    def require_url(self) -> str:
        """The URL; ConfigurationError says which setting is missing."""
        return self.url or Settings.load().require_postgres_url()

    @contextmanager
    def connect(self, application: str) -> Generator[Connection[TupleRow], None, None]:
        """One connection in autocommit: the domain opens its transactions itself."""
        url = self.require_url()
        with connect(url, application=f"zeppelin {application}", autocommit=True) as connection:
            yield connection

    def mirror(self, application: str, fresh_seconds: float) -> AbstractAsyncContextManager[PlcMirror]:
        """The mirror of the PLC directory, on a connection of its own."""
        return open_mirror(self.require_url(), f"zeppelin {application}", timedelta(seconds=fresh_seconds))


class NetworkResource(dg.ConfigurableResource["NetworkResource"]):
    """The network that is taken in: where hosts are learned of, where DIDs are resolved, how hosts are asked."""

    relay_urls: list[str]
    plc_url: str
    hosts: list[str]
    scrape_state: str | None
    allow_private_hosts: bool
    user_agent: str
    max_in_flight: int
    request_timeout_seconds: float
    fetch_attempts: int
    did_web_seconds: float

    def client_settings(self) -> ClientSettings:
        """How every host is asked."""
        return ClientSettings(
            allow_private=self.allow_private_hosts,
            max_in_flight=self.max_in_flight,
            user_agent=self.user_agent,
            timeouts=Timeouts(read=self.request_timeout_seconds),
            retry=RetryPolicy(attempts=self.fetch_attempts),
        )

    def clients(self) -> HostClients:
        """The clients of all hosts of one run; use it in an `async with`."""
        return HostClients(self.client_settings())

    def resolver(self, clients: HostClients, mirror: PlcMirror | None = None) -> DidResolver:
        """Who is asked for DID documents; with a mirror, what was known a moment ago will do for a did:web too."""
        clients.keep(self.plc_url)
        return DidResolver(
            clients.get_url,
            self.plc_url,
            allow_http=self.allow_private_hosts,
            ask_mirror=None if mirror is None else mirror.resolve,
            web_seconds=0.0 if mirror is None else self.did_web_seconds,
        )

    def impatient_clients(self) -> HostClients:
        """Clients for hosts that are asked once: short waits, no second try."""
        timeouts = Timeouts(connect=5.0, read=10.0, whole=15.0)
        return HostClients(
            ClientSettings(
                allow_private=self.allow_private_hosts,
                user_agent=self.user_agent,
                timeouts=timeouts,
                retry=RetryPolicy(attempts=1, rate_limited_attempts=2),
            )
        )

    def witnesses(self, clients: HostClients, named_hosts: Sequence[str] = ()) -> list[Witness]:
        """Everybody who is asked which hosts exist; `named_hosts` are those that accounts' documents name."""
        witnesses = [relay_witness(clients, relay_host(url)) for url in self.relay_urls]
        if self.scrape_state:
            witnesses.append(scrape_witness(clients, self.scrape_state))
        if self.hosts:
            witnesses.append(manual_witness(self.hosts))
        if named_hosts:
            witnesses.append(documents_witness(named_hosts))
        return witnesses


class IdentityResource(dg.ConfigurableResource["IdentityResource"]):
    """How the PLC directory is followed and how handles are asked for."""

    plc_window_operations: int
    plc_pages_per_minute: int
    plc_fresh_seconds: float
    dns_servers: list[str]
    handle_resolvers: list[str]
    handle_in_flight: int
    handle_domain_per_second: float
    handle_domain_in_flight: int
    handle_days: float

    def follow_settings(self) -> FollowSettings:
        """What bounds the following of the export."""
        return FollowSettings(self.plc_window_operations, 60 / self.plc_pages_per_minute)

    def handle_resolver(self, network: NetworkResource, clients: HostClients) -> HandleResolver:
        """Who is asked for handles; the clients should not try again, as the queue does."""
        resolvers = dict(entry.split("=", 1) for entry in self.handle_resolvers)
        for url in resolvers.values():
            clients.keep(url)
        settings = HandleSettings(
            resolvers,
            allow_test=network.allow_private_hosts,
            max_in_flight=self.handle_in_flight,
            domain_in_flight=self.handle_domain_in_flight,
            domain_per_second=self.handle_domain_per_second,
        )
        return HandleResolver(TxtLookup(self.dns_servers).look_up, clients.get_url, settings)

    def queue_settings(self) -> QueueSettings:
        """What bounds a pass over the handles that are due."""
        return QueueSettings(reverify=timedelta(days=self.handle_days))


class FirehoseResource(dg.ConfigurableResource["FirehoseResource"]):
    """Which relays are followed, and within which bounds."""

    is_enabled: bool
    relays: list[str]
    run_seconds: float
    verifiers: int
    batch_events: int
    batch_seconds: float
    queue_bytes: int
    lag_alert_seconds: float

    def settings(
        self, relay: str, warehouse: Warehouse, lake: Lake, network: NetworkResource, identity: IdentityResource
    ) -> FirehoseSettings:
        """What the consumer of a relay needs to know."""
        return firehose_settings(
            relay=relay,
            postgres_url=warehouse.require_url(),
            lake=lake,
            plc_url=network.plc_url,
            plc_fresh_seconds=identity.plc_fresh_seconds,
            clients=network.client_settings(),
            verifiers=self.verifiers,
            batch_events=self.batch_events,
            batch_seconds=self.batch_seconds,
            queue_bytes=self.queue_bytes,
        )


class LabelsResource(dg.ConfigurableResource["LabelsResource"]):
    """How many labelers are followed, and within which bounds each."""

    is_enabled: bool
    run_seconds: float
    most_labelers: int
    memory_bytes: int
    labels_per_second: float
    bytes_per_second: float
    rows: int
    quarantine: int

    def settings(self, warehouse: Warehouse, network: NetworkResource) -> LabelSettings:
        """What following needs to know."""
        return label_settings(
            postgres_url=warehouse.require_url(),
            plc_url=network.plc_url,
            clients=network.client_settings(),
            most_labelers=self.most_labelers,
            memory_bytes=self.memory_bytes,
            labels_per_second=self.labels_per_second,
            bytes_per_second=self.bytes_per_second,
            rows=self.rows,
            quarantine=self.quarantine,
        )


class ShardResource(dg.ConfigurableResource["ShardResource"]):
    """The sizes and limits of shards on their way."""

    shard_size: int
    tail_limit: int
    tail_hosts: int
    car_cap_bytes: int
    pack_part_bytes: int
    tolerate_failed: float
    batch_rows: int
    refetch_limit: int
    refetch_min_age_hours: float
    relook_hours: float
    car_retention_days: float | None
    lake_removal_hours: float

    def plan_settings(self) -> PlanSettings:
        """How accounts are cut into shards."""
        return PlanSettings(self.shard_size, self.tail_limit, self.tail_hosts)

    def fetch_settings(self) -> FetchSettings:
        """What bounds a fetch."""
        return FetchSettings(max_car_bytes=self.car_cap_bytes, pack=PackSettings(part_bytes=self.pack_part_bytes))

    def stale_settings(self) -> StaleSettings:
        """What is fetched again."""
        return StaleSettings(
            self.refetch_limit, timedelta(hours=self.refetch_min_age_hours), timedelta(hours=self.relook_hours)
        )

    def compaction_settings(self) -> CompactionSettings:
        """What leaves the lake."""
        days = self.car_retention_days
        return CompactionSettings(None if days is None else timedelta(days=days), self.extract_limits())

    def extract_limits(self) -> Limits:
        """What bounds the memory of an extraction."""
        return Limits(group_rows=self.batch_rows)
