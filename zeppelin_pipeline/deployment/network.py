"""The network that is taken in, by the settings of a deployment: how hosts are asked, and who knows of them."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict

from zeppelin_pipeline.firehose.resolver import resolver_of
from zeppelin_pipeline.firehose.stream import relay_host
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.hosts.witnesses import Witness, documents_witness, manual_witness, relay_witness, scrape_witness
from zeppelin_pipeline.identity.mirror import PlcMirror
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.settings import Settings


class Network(BaseModel):
    """The network that is taken in: where hosts are learned of, where DIDs are resolved, how hosts are asked."""

    model_config = ConfigDict(frozen=True)

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

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The network of a deployment."""
        return cls(
            relay_urls=list(settings.relay_urls),
            plc_url=settings.plc_url,
            hosts=list(settings.hosts),
            scrape_state=settings.scrape_state,
            allow_private_hosts=settings.allow_private_hosts,
            user_agent=settings.user_agent,
            max_in_flight=settings.max_in_flight,
            request_timeout_seconds=settings.request_timeout_seconds,
            fetch_attempts=settings.fetch_attempts,
            did_web_seconds=settings.did_web_seconds,
        )

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
        return resolver_of(clients, self.plc_url, mirror, web_seconds=0.0 if mirror is None else self.did_web_seconds)

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
