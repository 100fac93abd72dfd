"""Who says which hosts exist: a relay, a scrape, accounts' documents, a list by hand. Nothing is merged or probed here.

A name that is no host is set aside and counted by its witness, never fatal. A witness that cannot be asked raises.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import orjson

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClient, HostClients
from zeppelin_pipeline.hosts.host import Host, parse_host
from zeppelin_pipeline.hosts.paging import CursorTrail, next_page

#: About forty times the network of 2026; a relay that names more is broken or hostile.
_MOST_HOSTS: Final = 100_000
_MAX_SCRAPE_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """One witness's word on one host.

    Attributes:
        host: whom it is about.
        witness: who says so (`relay:relay.example.com`, `scrape`, `documents`, `manual`).
        version: of the server, as the witness saw it; null when it does not say.
        error_at: since when the witness cannot reach it; null when it can, or does not say.
    """

    host: Host
    witness: str
    version: str | None = None
    error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that one witness said: its sightings, and how many names were no hosts."""

    witness: str
    sightings: tuple[Sighting, ...]
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody to ask: a name, and how. `ask` raises UpstreamError, InvalidDataError or OSError when it fails."""

    name: str
    ask: Callable[[], Awaitable[Report]]


#: A host's text as given, with the version and the error time of the sighting.
_Claim: TypeAlias = tuple[object, str | None, datetime | None]


def relay_witness(clients: HostClients, relay: Host) -> Witness:
    """A relay's `com.atproto.sync.listHosts`, all pages."""
    name = f"relay:{relay.key}"

    async def ask() -> Report:
        claims = [claim async for claim in _relay_claims(clients.client(relay))]
        return _report(name, claims)

    return Witness(name, ask)


def scrape_witness(clients: HostClients, location: str) -> Witness:
    """The `state.json` of the public scrape mary-ext/atproto-scraping, by URL or by a file's path."""

    async def ask() -> Report:
        if location.startswith(("https://", "http://")):
            body = await clients.get_url(location, max_bytes=_MAX_SCRAPE_BYTES)
        else:
            body = await asyncio.to_thread(Path(location).read_bytes)
        return read_scrape(body)

    return Witness("scrape", ask)


def manual_witness(hosts: Iterable[str]) -> Witness:
    """The hosts that the operator lists."""
    return _list_witness("manual", hosts)


def documents_witness(urls: Iterable[str]) -> Witness:
    """The hosts that documents name: those of the PLC directory's export, and of did:web accounts that are known."""
    return _list_witness("documents", urls)


def _list_witness(name: str, hosts: Iterable[str]) -> Witness:
    claims: list[_Claim] = [(text, None, None) for text in hosts]

    async def ask() -> Report:
        return _report(name, claims)

    return Witness(name, ask)


def read_scrape(body: bytes) -> Report:
    """Reads the scrape's `pdses`: URL to `{version?, errorAt? in milliseconds, …}`.

    Raises:
        InvalidDataError: `scrape-malformed`, the file has not that form.
    """
    try:
        state = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidDataError("scrape-malformed", str(error)) from error
    hosts = cast("dict[str, Any]", state).get("pdses") if isinstance(state, dict) else None
    if not isinstance(hosts, dict):
        raise InvalidDataError("scrape-malformed", "no object `pdses`")
    return _report("scrape", [_scrape_claim(url, entry) for url, entry in cast("dict[str, Any]", hosts).items()])


def _scrape_claim(url: str, entry: object) -> _Claim:
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    return url, version_of(fields.get("version")), _time_of_millis(fields.get("errorAt"))


async def _relay_claims(client: HostClient) -> AsyncIterator[_Claim]:
    trail = CursorTrail()
    seen = 0
    while trail.cursor is not None:
        hosts = await next_page(client, "com.atproto.sync.listHosts", "hosts", trail)
        seen += len(hosts)
        if seen > _MOST_HOSTS:
            raise UpstreamError("upstream-malformed", f"more than {_MOST_HOSTS} hosts", is_transient=False)
        for entry in hosts:
            yield (cast("dict[str, Any]", entry).get("hostname") if isinstance(entry, dict) else None), None, None


def _report(witness: str, claims: Iterable[_Claim]) -> Report:
    sightings: dict[str, Sighting] = {}
    malformed = 0
    for text, version, error_at in claims:
        try:
            host = parse_host(text if isinstance(text, str) else "")
        except InvalidDataError:
            malformed += 1
            continue
        sightings.setdefault(host.key, Sighting(host, witness, version, error_at))
    return Report(witness, tuple(sightings.values()), malformed)


def version_of(value: object) -> str | None:
    """A server's version as somebody says it; null for what is no text that can be shown."""
    return value[:100] if isinstance(value, str) and value and value.isprintable() else None


def _time_of_millis(value: object) -> datetime | None:
    # Beyond the year 9999 is no time; booleans are integers in Python.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 253_402_300_800_000:
        return None
    return datetime.fromtimestamp(value / 1000, UTC)
