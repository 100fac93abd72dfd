"""Documents of did:web, asked of the hosts that the DIDs name, gently: these may be slow, or a million of one owner.

Each owner's hosts have a few requests at once, a short time, and a breaker. A document that was had a moment ago may do
for the next who asks, where the caller allows it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.identity.documents import MAX_DOCUMENT_BYTES
from zeppelin_pipeline.identity.domains import Breaker, registrable_domain

#: Gets a URL's body of at most so many bytes; raises UpstreamError, and InvalidDataError for a URL that names no host.
GetUrl: TypeAlias = Callable[[str, int], Awaitable[bytes]]

_LONGEST_SECONDS: Final = 15.0
_AT_ONCE: Final = 4
#: Documents and domains that are remembered; the network has some thousand did:web accounts.
_MOST_REMEMBERED: Final = 1_000
_MOST_DOMAINS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    body: bytes
    asked_at: datetime
    until: float


@dataclass(slots=True)
class _Domain:
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    breaker: Breaker = field(default_factory=Breaker)
    waiting: int = 0


class WebDocuments:
    """Asks hosts, and remembers what they said for a while."""

    def __init__(self, get_url: GetUrl, remember_seconds: float = 0.0) -> None:
        """Sets how to ask.

        Args:
            get_url: the transport, which guards addresses and sizes.
            remember_seconds: for how long an answer does for others; 0 asks each time.
        """
        self._get_url = get_url
        self._remember_seconds = remember_seconds
        self._known: OrderedDict[str, _Remembered] = OrderedDict()
        self._domains: dict[str, _Domain] = {}

    async def get(self, url: str, name: str, since: datetime | None) -> bytes:
        """A document's bytes.

        Args:
            url: where it is.
            name: of its host.
            since: what was asked for before that will not do.

        Raises:
            UpstreamError: `did-web-down`, the domain's hosts have failed several times in a row; `timeout`; else the
                transport's.
        """
        known = self._known.get(url)
        if known is not None and time.monotonic() < known.until and (since is None or since <= known.asked_at):
            return known.body
        domain = self._domain(registrable_domain(name))
        domain.waiting += 1
        try:
            async with domain.slots:
                asked_at = datetime.now(UTC)
                body = await self._ask(url, domain)
        finally:
            domain.waiting -= 1
        self._remember(url, body, asked_at)
        return body

    async def _ask(self, url: str, domain: _Domain) -> bytes:
        if not domain.breaker.lets_through():
            raise UpstreamError("did-web-down", f"{domain.breaker.failures} failures in a row", is_transient=True)
        try:
            with domain.breaker.watching():
                async with asyncio.timeout(_LONGEST_SECONDS):
                    return await self._get_url(url, MAX_DOCUMENT_BYTES)
        except TimeoutError as error:
            raise UpstreamError("timeout", f"{url[:200]} within {_LONGEST_SECONDS} s", is_transient=True) from error

    def _remember(self, url: str, body: bytes, asked_at: datetime) -> None:
        if self._remember_seconds <= 0:
            return
        self._known[url] = _Remembered(body, asked_at, time.monotonic() + self._remember_seconds)
        self._known.move_to_end(url)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _domain(self, name: str) -> _Domain:
        if len(self._domains) >= _MOST_DOMAINS:
            kept = {key: each for key, each in self._domains.items() if each.waiting or each.breaker.failures}
            self._domains = kept if len(kept) < _MOST_DOMAINS else {}
        return self._domains.setdefault(name, _Domain())
