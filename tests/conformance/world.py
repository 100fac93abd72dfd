"""What there is to ask about: accounts and records, as the hosts give them."""

from dataclasses import dataclass, field
from typing import Any

from tests.conformance.appview import Addresses
from tests.network.truth import RepositoryReader


@dataclass(slots=True)
class World:
    """What there is to ask about.

    Attributes:
        dids: every account of every host, whatever its state.
        handles: that the accounts claim.
        uris: of every record, by collection, in their order on the hosts.
        values: of every record, by URI.
    """

    dids: list[str] = field(default_factory=list[str])
    handles: list[str] = field(default_factory=list[str])
    uris: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    values: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def authors_of(self, collection: str) -> list[str]:
        """Who has written records of a collection."""
        return list(dict.fromkeys(uri.split("/")[2] for uri in self.uris[collection]))


def survey(addresses: Addresses) -> World:
    """Reads what the hosts hold, by the protocol's public methods."""
    world = World()
    for url in addresses.pds_urls.values():
        host = RepositoryReader(url)
        for did, state in host.repositories().items():
            if did not in world.dids:
                world.dids.append(did)
            if state != "active":
                continue
            world.handles.append(host.handle(did))
            for uri, record in host.records(did).items():
                world.uris.setdefault(uri.split("/")[3], []).append(uri)
                world.values[uri] = record.value
        host.close()
    return world
