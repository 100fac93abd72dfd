"""How accounts' identities are learned, by the settings of a deployment: the PLC directory's export, and handles."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict

from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.hosts.txt import TxtLookup
from zeppelin_pipeline.identity.handle_queue import QueueSettings
from zeppelin_pipeline.identity.handles import HandleResolver, HandleSettings
from zeppelin_pipeline.identity.plc_follow import FollowSettings
from zeppelin_pipeline.settings import Settings


class Identity(BaseModel):
    """How the PLC directory is followed and how handles are asked for."""

    model_config = ConfigDict(frozen=True)

    plc_window_operations: int
    plc_pages_per_minute: int
    plc_fresh_seconds: float
    dns_servers: list[str]
    handle_resolvers: list[str]
    handle_in_flight: int
    handle_domain_per_second: float
    handle_domain_in_flight: int
    handle_days: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What a deployment has of it."""
        return cls(
            plc_window_operations=settings.plc_window_operations,
            plc_pages_per_minute=settings.plc_pages_per_minute,
            plc_fresh_seconds=settings.plc_fresh_seconds,
            dns_servers=list(settings.dns_servers),
            handle_resolvers=list(settings.handle_resolvers),
            handle_in_flight=settings.handle_in_flight,
            handle_domain_per_second=settings.handle_domain_per_second,
            handle_domain_in_flight=settings.handle_domain_in_flight,
            handle_days=settings.handle_days,
        )

    def follow_settings(self) -> FollowSettings:
        """What bounds the following of the export."""
        return FollowSettings(self.plc_window_operations, 60 / self.plc_pages_per_minute)

    def handle_resolver(self, network: Network, clients: HostClients) -> HandleResolver:
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
