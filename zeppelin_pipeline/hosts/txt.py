"""TXT records of DNS, for handles: texts, or a typed failure that may pass. What a text means is for `identity`."""

from collections.abc import Sequence
from typing import Final, cast

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdtypes.ANY.TXT import TXT

from zeppelin_pipeline.errors import ConfigurationError, UpstreamError

_LIFETIME_SECONDS: Final = 5.0
_DNS_PORT: Final = 53
#: A name may have many TXT records of other kinds; a longer answer is no handle's.
_MOST_RECORDS: Final = 100


class TxtLookup:
    """Asks the system's name servers, or given ones."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        """Sets whom to ask.

        Args:
            servers: `address` or `address:port`; empty takes the system's.

        Raises:
            ConfigurationError: the system names no server, and none is given.
        """
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration as error:
            raise ConfigurationError(f"no name server is configured: {error}") from error
        if servers:
            self._resolver.nameservers = [_name_server(text) for text in servers]
        self._resolver.lifetime = _LIFETIME_SECONDS

    async def look_up(self, name: str) -> list[str]:
        """The texts of a name; none when it has none, or cannot exist.

        Raises:
            UpstreamError: `dns-timeout` or `dns-failure`, transient.
        """
        try:
            answer = await self._resolver.resolve(name, "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.NameTooLong, dns.name.LabelTooLong):
            return []
        except dns.exception.Timeout as error:
            raise UpstreamError("dns-timeout", str(error)[:200], is_transient=True) from error
        except (dns.exception.DNSException, OSError) as error:
            raise UpstreamError("dns-failure", str(error)[:200], is_transient=True) from error
        records = [cast("TXT", record) for record in list(answer)[:_MOST_RECORDS]]
        return [b"".join(record.strings).decode("utf-8", "replace") for record in records]


def _name_server(text: str) -> dns.nameserver.Nameserver:
    address, colon, port = text.rpartition(":")
    if not colon or ":" in address:  # an IPv6 address has colons of its own, and then no port
        address, port = text, str(_DNS_PORT)
    if not port.isdigit():
        raise ConfigurationError(f"not a name server: {text!r}")
    return dns.nameserver.Do53Nameserver(address, int(port))
