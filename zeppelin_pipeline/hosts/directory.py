"""The directory of PDS hosts: reports merged, hosts probed, the snapshot written.

A host once known is never dropped: what is down today is parked, with its last error.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, cast

import pyarrow as pa

from zeppelin_pipeline.errors import ConfigurationError, InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClient, HostClients
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.hosts.witnesses import Report, Sighting, Witness, version_of
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import PDS_LIST
from zeppelin_pipeline.lake.store import FileStats, Lake

_PROBES_AT_ONCE: Final = 64
_MAX_DESCRIPTION_BYTES: Final = 256_000
_LONGEST_PROBE_SECONDS: Final = 120.0
ONLINE: Final = "online"
PARKED: Final = "parked"


@dataclass(frozen=True, slots=True)
class PdsRow:
    """One host of the directory, as in the schema `PDS_LIST`."""

    host: str
    url: str
    witnesses: tuple[str, ...]
    state: str  # online | parked
    version: str | None
    last_seen_at: datetime | None  # of the last probe that it answered
    last_error: str | None  # null when online


@dataclass(frozen=True, slots=True)
class Directory:
    """What a refresh found.

    Attributes:
        rows: every host ever known, sorted by key.
        file: the snapshot that was written.
        malformed: names that were no hosts, by witness.
        failures: what each witness that could not be asked failed with, by its name.
    """

    rows: tuple[PdsRow, ...]
    file: FileStats
    malformed: dict[str, int]
    failures: dict[str, str]

    @property
    def online(self) -> tuple[PdsRow, ...]:
        """The hosts that answered."""
        return tuple(row for row in self.rows if row.state == ONLINE)


async def refresh_directory(
    lake: Lake,
    clients: HostClients,
    witnesses: Sequence[Witness],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Directory:
    """Asks the witnesses, probes every host they name or the last snapshot knows, and writes a new snapshot.

    Raises:
        UpstreamError: `no-witness`, not one witness could be asked; nothing is written.
    """
    reports, failures = await _ask_all(witnesses)
    if not reports:
        said = "; ".join(f"{name}: {failure}" for name, failure in failures.items()) or "none is configured"
        raise UpstreamError("no-witness", said, is_transient=True)
    known = merge(read_directory(lake), reports)
    rows = tuple(sorted(await _probe_all(clients, known, now), key=lambda row: row.host))
    file = lake.write_table(layout.pds_list(now()), _to_table(rows))
    return Directory(rows, file, {each.witness: each.malformed for each in reports}, failures)


def read_directory(lake: Lake) -> tuple[PdsRow, ...]:
    """The rows of the newest snapshot; none when there is no snapshot yet."""
    paths = lake.list(layout.PDS_LIST)
    if not paths:
        return ()
    with lake.open_parquet(paths[-1]) as file:
        rows = cast("list[dict[str, Any]]", file.read().to_pylist())
    for row in rows:
        row["witnesses"] = tuple(row["witnesses"])
    return tuple(PdsRow(**row) for row in rows)


def find_host(lake: Lake, key: str) -> Host:
    """The host of that key in the newest snapshot.

    Raises:
        ConfigurationError: it is not there: the directory has to be refreshed, or the key is wrong.
    """
    for row in read_directory(lake):
        if row.host == key:
            return Host(row.host, row.url)
    raise ConfigurationError(
        f"the directory of hosts has no {key}: materialize pds_list, or check the partition's name"
    )


def merge(known: Iterable[PdsRow], reports: Iterable[Report]) -> tuple[PdsRow, ...]:
    """Joins what is known with what was said: witnesses add up, a witness's version fills a gap."""
    rows = {row.host: row for row in known}
    for report in reports:
        for sighting in report.sightings:
            rows[sighting.host.key] = _add(rows.get(sighting.host.key), sighting)
    return tuple(rows.values())


def _add(row: PdsRow | None, sighting: Sighting) -> PdsRow:
    if row is None:
        unseen = f"not probed yet; {sighting.witness} could not reach it" if sighting.error_at else "not probed yet"
        row = PdsRow(sighting.host.key, sighting.host.url, (), PARKED, None, None, unseen)
    witnesses = tuple(sorted({*row.witnesses, sighting.witness}))
    return replace(row, url=sighting.host.url, witnesses=witnesses, version=row.version or sighting.version)


async def _ask_all(witnesses: Sequence[Witness]) -> tuple[list[Report], dict[str, str]]:
    reports: list[Report] = []
    failures: dict[str, str] = {}

    async def ask(witness: Witness) -> None:
        try:
            reports.append(await witness.ask())
        except (UpstreamError, InvalidDataError, OSError) as error:
            failures[witness.name] = str(error)

    async with asyncio.TaskGroup() as group:
        for witness in witnesses:
            group.create_task(ask(witness))
    return reports, failures


async def _probe_all(clients: HostClients, rows: Iterable[PdsRow], now: Callable[[], datetime]) -> list[PdsRow]:
    waiting = iter(rows)
    probed: list[PdsRow] = []

    async def probe_some() -> None:
        for row in waiting:
            probed.append(await _probe(clients, row, now))  # noqa: PERF401 - the workers share one iterator and one list

    async with asyncio.TaskGroup() as group:
        for _ in range(_PROBES_AT_ONCE):
            group.create_task(probe_some())
    return probed


async def _probe(clients: HostClients, row: PdsRow, now: Callable[[], datetime]) -> PdsRow:
    try:
        async with asyncio.timeout(_LONGEST_PROBE_SECONDS), clients.passing_client(Host(row.host, row.url)) as client:
            await _describe(client)
            version = await _ask_version(client)
    except (UpstreamError, TimeoutError) as error:
        return replace(row, state=PARKED, last_error=(str(error) or "timeout")[:500])
    return replace(row, state=ONLINE, last_error=None, last_seen_at=now(), version=version or row.version)


async def _describe(client: HostClient) -> None:
    description = await client.query("com.atproto.server.describeServer", max_bytes=_MAX_DESCRIPTION_BYTES)
    if not isinstance(description, dict) or "did" not in description:
        raise UpstreamError("upstream-malformed", "describeServer names no DID", is_transient=False)


async def _ask_version(client: HostClient) -> str | None:
    """The version by `_health`, which is not part of the protocol: null for the many hosts without it."""
    try:
        health = await client.query("_health", max_bytes=_MAX_DESCRIPTION_BYTES)
    except UpstreamError:
        return None
    return version_of(cast("dict[str, Any]", health).get("version")) if isinstance(health, dict) else None


def _to_table(rows: Iterable[PdsRow]) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in PDS_LIST.names}
    columns["witnesses"] = [list(witnesses) for witnesses in columns["witnesses"]]
    return pa.table(columns, schema=PDS_LIST)
