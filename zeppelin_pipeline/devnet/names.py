"""The network's DNS: `_atproto.<handle>` of every account as TXT, over UDP on loopback; no other name exists."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from zeppelin_pipeline.errors import ConfigurationError

_PREFIX: Final = "_atproto."
_LIFETIME_SECONDS: Final = 1

#: The DID that holds a handle; null for none.
HolderOf = Callable[[str], str | None]


def names_socket(port: int) -> socket.socket:
    """A socket for the names on 127.0.0.1; port 0 lets the system choose. ConfigurationError when it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"UDP port {port} of 127.0.0.1 cannot be had: {error}") from error
    listener.setblocking(False)
    return listener


class NameServer(asyncio.DatagramProtocol):
    """Answers each question from the accounts' handles as they stand."""

    def __init__(self, holder_of: HolderOf) -> None:
        self._holder_of = holder_of
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - the base says it of all transports
        """Keep where answers go."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer; what is no question is dropped, as a name server does."""
        try:
            question = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        if self._transport is not None and question.question:
            self._transport.sendto(self._answer(question).to_wire(), addr)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        asked = question.question[0]
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        name = asked.name.to_text(omit_final_dot=True).lower()
        did = self._holder_of(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None
        if did is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype == dns.rdatatype.TXT:
            answer.answer.append(dns.rrset.from_text(asked.name, _LIFETIME_SECONDS, "IN", "TXT", f'"did={did}"'))
        return answer
