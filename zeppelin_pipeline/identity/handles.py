"""Which DID a handle names, asked of its domain: a resolver that the operator trusts, DNS, then HTTPS.

Source: the handle specification. DNS: the one text `did=…` at `_atproto.<handle>`; several that differ name nobody.
HTTPS: the body of `/.well-known/atproto-did`. That the account claims the handle too is its document's to say.

A host's own subdomains (millions below one name) are asked of the resolver that the operator names for that domain: the
host answers for all of them anyway, by its wildcard.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast
from urllib.parse import quote

import orjson

from zeppelin_pipeline.atproto.syntax import is_did, is_handle
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.identity.domains import registrable_domain
from zeppelin_pipeline.identity.web_documents import GetUrl

#: The texts of a name in DNS; raises UpstreamError.
LookUpTxt: TypeAlias = Callable[[str], Awaitable[list[str]]]

#: Of a handle that was not asked for, as too many others wait for the host of its domain.
BUSY: Final = "domain-busy"

_MAX_BODY_BYTES: Final = 4096
_DID_PREFIX: Final = "did="
#: Top-level names that no handle of the network has (handle specification, "Additional Non-Syntax Restrictions").
_RESERVED: Final = frozenset(("alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"))
_TEST: Final = "test"
#: Domains whose limits are remembered, as far as they are at rest.
_MOST_DOMAINS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What a handle's domain said.

    Attributes:
        did: that the handle names; null for none.
        reason: why it names none: `handle-none`, `handle-ambiguous`, `handle-reserved`, `domain-down`, `domain-busy`,
            or a transport's reason.
        is_transient: nothing was said; asking later may tell.
        wait_seconds: with `domain-busy`: when the domain's host, which was not asked, can be.
    """

    did: str | None
    reason: str | None = None
    is_transient: bool = False
    wait_seconds: float = 0.0


_DOWN: Final = Claim(None, "domain-down", is_transient=True)


@dataclass(frozen=True, slots=True)
class HandleSettings:
    """How handles are asked for.

    Attributes:
        resolvers: URL of the host that answers for all handles below a domain (`resolveHandle`), by that domain.
        allow_test: whether handles below `.test` are asked for, in a test network only.
        max_in_flight: handles asked for at once; below one domain at most half of them.
        domain_in_flight: of these, requests to the host of one domain, or to its resolver; DNS has no such limit.
        domain_per_second: such requests in a second; hosts take about 10 from an address.
        domain_wait_seconds: a handle waits no longer for its turn at a host, but is `domain-busy`.
        breaker_failures: after so many failures in a row a domain is asked no more.
    """

    resolvers: Mapping[str, str]
    allow_test: bool = False
    max_in_flight: int = 100
    domain_in_flight: int = 4
    domain_per_second: float = 10.0
    domain_wait_seconds: float = 5.0
    breaker_failures: int = 5


class HandleResolver:
    """Asks domains, gently: each domain has its own limits and its own breaker, so that none waits for another."""

    def __init__(self, look_up_txt: LookUpTxt, get_url: GetUrl, settings: HandleSettings) -> None:
        self._look_up_txt = look_up_txt
        self._get_url = get_url
        self._settings = settings
        self._gate = asyncio.Semaphore(settings.max_in_flight)
        self._domains: dict[str, _Domain] = {}

    async def resolve(self, handle: str) -> Claim:
        """The DID that the handle names, lower-case; failures are in the claim, none is raised."""
        top = handle.rpartition(".")[2]
        if not is_handle(handle) or top in _RESERVED or (top == _TEST and not self._settings.allow_test):
            return Claim(None, "handle-reserved")
        domain = self._domain(registrable_domain(handle))
        url = self._resolver_of(handle)
        if url is not None:
            return await self._at_its_turn(domain, lambda: self._ask_resolver(url, handle))
        async with domain.share:
            if domain.is_broken:
                return _DOWN
            async with self._gate:
                by_dns = await self._ask_dns(handle)
        if by_dns.did is not None or by_dns.reason == "handle-ambiguous":
            domain.note(by_dns)
            return by_dns
        return await self._at_its_turn(domain, lambda: self._ask_https(handle, by_dns))

    async def _at_its_turn(self, domain: "_Domain", ask: Callable[[], Awaitable[Claim]]) -> Claim:
        """Asks a domain's host within its limits, unless it is down or too many wait for it."""
        if domain.is_broken:
            return _DOWN
        wait_seconds = domain.reserve()
        if wait_seconds > self._settings.domain_wait_seconds:
            return Claim(None, BUSY, is_transient=True, wait_seconds=wait_seconds)
        await asyncio.sleep(wait_seconds)
        async with domain.slots:
            if domain.is_broken:
                return _DOWN
            async with self._gate:
                claim = await ask()
            domain.note(claim)
            return claim

    def _domain(self, name: str) -> "_Domain":
        if len(self._domains) >= _MOST_DOMAINS:
            self._domains = {name: domain for name, domain in self._domains.items() if domain.is_worth_keeping}
        return self._domains.setdefault(name, _Domain(self._settings))

    def _resolver_of(self, handle: str) -> str | None:
        """The resolver of the longest domain that the handle is below of."""
        labels = handle.split(".")
        parents = (".".join(labels[place:]) for place in range(1, len(labels)))
        return next(
            (self._settings.resolvers[parent] for parent in parents if parent in self._settings.resolvers), None
        )

    async def _ask_resolver(self, url: str, handle: str) -> Claim:
        try:
            body = await self._get_url(
                f"{url}/xrpc/com.atproto.identity.resolveHandle?handle={quote(handle)}", _MAX_BODY_BYTES
            )
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return Claim(None, "upstream-malformed", is_transient=True)
        except (UpstreamError, InvalidDataError) as error:
            return _failed(error)
        did = cast("dict[str, object]", value).get("did") if isinstance(value, dict) else None
        return _named(did if isinstance(did, str) else "")

    async def _ask_dns(self, handle: str) -> Claim:
        try:
            texts = await self._look_up_txt(f"_atproto.{handle}")
        except UpstreamError as error:
            return _failed(error)
        dids = {text.removeprefix(_DID_PREFIX).strip() for text in texts if text.startswith(_DID_PREFIX)}
        return Claim(None, "handle-ambiguous") if len(dids) > 1 else _named(next(iter(dids), ""))

    async def _ask_https(self, handle: str, by_dns: Claim) -> Claim:
        """What the host says; where it names nobody, and DNS may later, what became of DNS."""
        try:
            body = await self._get_url(f"https://{handle}/.well-known/atproto-did", _MAX_BODY_BYTES)
            claim = _named(body.decode("utf-8", "replace").strip())
        except (UpstreamError, InvalidDataError) as error:
            claim = _failed(error)
        return claim if claim.did is not None or not by_dns.is_transient else by_dns


class _Domain:
    """The limits of one registrable domain."""

    def __init__(self, settings: HandleSettings) -> None:
        self.share = asyncio.Semaphore(max(1, settings.max_in_flight // 2))
        self.slots = asyncio.Semaphore(settings.domain_in_flight)
        self._spacing_seconds = 1 / settings.domain_per_second
        self._longest_wait_seconds = settings.domain_wait_seconds
        self._next_at = self._later_at = 0.0
        self._failures = 0
        self._most_failures = settings.breaker_failures

    @property
    def is_broken(self) -> bool:
        return self._failures >= self._most_failures

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a new one in its place would ask sooner than this one."""
        return self._failures > 0 or max(self._next_at, self._later_at) > time.monotonic()

    def reserve(self) -> float:
        """Takes the next place at the host: in how many seconds. Places past the longest wait are given out too."""
        now = time.monotonic()
        start = max(now, self._next_at)
        if start - now <= self._longest_wait_seconds:
            self._next_at = start + self._spacing_seconds
            return start - now
        self._later_at = max(start, self._later_at) + self._spacing_seconds
        return self._later_at - now

    def note(self, claim: Claim) -> None:
        self._failures = self._failures + 1 if claim.is_transient else 0


def _named(text: str) -> Claim:
    return Claim(text) if is_did(text) else Claim(None, "handle-none")


def _failed(error: UpstreamError | InvalidDataError) -> Claim:
    """A 4xx means that the host knows of no such handle; a name that does not resolve, or no answer, may pass."""
    is_transient = isinstance(error, UpstreamError) and error.is_transient
    return Claim(None, error.reason if is_transient else "handle-none", is_transient=is_transient)
