"""Dagster's resources: typed shells around the settings, each giving a plain domain object."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.hosts.client import ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.host import parse_host
from zeppelin_pipeline.hosts.witnesses import Witness, manual_witness, relay_witness, scrape_witness
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.connection import connect


class LakeResource(dg.ConfigurableResource["LakeResource"]):
    """The lake by its URL: a folder, or `s3://bucket/prefix`."""

    url: str

    def open(self) -> Lake:
        """The lake; nothing is made yet."""
        return Lake(self.url)


class WarehouseResource(dg.ConfigurableResource["WarehouseResource"]):
    """The warehouse by its URL; without one, every use says which setting is missing."""

    url: str | None

    @contextmanager
    def connect(self, application: str) -> Generator[Connection[TupleRow], None, None]:
        """One connection in autocommit: the domain opens its transactions itself."""
        url = self.url or Settings.load().require_postgres_url()
        with connect(url, application=f"zeppelin {application}", autocommit=True) as connection:
            yield connection


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

    def clients(self) -> HostClients:
        """The clients of all hosts of one run; use it in an `async with`."""
        return HostClients(
            ClientSettings(
                allow_private=self.allow_private_hosts,
                max_in_flight=self.max_in_flight,
                user_agent=self.user_agent,
                timeouts=Timeouts(read=self.request_timeout_seconds),
            )
        )

    def resolver(self, clients: HostClients) -> DidResolver:
        """Who is asked for DID documents."""
        return DidResolver(clients.get_url, self.plc_url, allow_http=self.allow_private_hosts)

    def witnesses(self, clients: HostClients) -> list[Witness]:
        """Everybody who is asked which hosts exist."""
        witnesses = [relay_witness(clients, parse_host(_over_http(url))) for url in self.relay_urls]
        if self.scrape_state:
            witnesses.append(scrape_witness(clients, self.scrape_state))
        if self.hosts:
            witnesses.append(manual_witness(self.hosts))
        return witnesses


def _over_http(url: str) -> str:
    """A relay may be named by its stream's URL; its methods are at the same authority."""
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url
