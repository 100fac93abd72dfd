"""The fetch of a shard: every repository of its manifest that its pack lacks, each outcome stored with its type.

Each host of a shard has its own workers, its own limits and its own breaker, so that none waits for another. A CAR is
opened and its tree walked before it counts as fetched: a body cut at a block's boundary looks whole otherwise, and is
fetched again like any broken connection. Signatures are the extraction's business.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final, Self, TypeAlias

from zeppelin_pipeline.atproto.scan import scan_repository
from zeppelin_pipeline.atproto.tid import tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClient, HostClients
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.identity.resolver import DidResolver, ResolvedDid
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.fetch_body import SpooledBody
from zeppelin_pipeline.repos.fetch_outcome import FetchResult, HostBreaker, OutcomeCounts, state_of
from zeppelin_pipeline.repos.fetch_threads import RepositoryThreads
from zeppelin_pipeline.repos.pack import ABSENT, FAILED, FETCHED, PackRow, PackSettings, PackWriter, settled_dids
from zeppelin_pipeline.repos.plan import ManifestRow, read_manifest

#: Called with repositories done, repositories to do, and CAR bytes so far.
Progress: TypeAlias = Callable[[int, int, int], None]

_GET_REPO: Final = "/xrpc/com.atproto.sync.getRepo"
_PUBLISHED_FAULTS: Final = ("commit-", "mst-", "cbor-")
_LEAST_WORKERS: Final = 4


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Limits of a fetch.

    Attributes:
        max_car_bytes: a larger repository is stored as failed, `too-large`.
        car_seconds: time for one download.
        spool_bytes: a download's bytes in memory; more of them go to a temporary file.
        max_in_flight: requests of the whole shard at once; hosts share it evenly, and each has at least 4.
        breaker_failures, breaker_seconds: when a host is given up for this run (`HostBreaker`).
        threads: that check and write downloaded repositories.
        large_bytes: of larger repositories only one is checked or written at a time.
        progress_seconds: between two calls of `progress`, and between two looks at the age of what is not durable yet.
        pack: when rows become durable.
    """

    max_car_bytes: int = 256_000_000
    car_seconds: float = 600.0
    spool_bytes: int = 262_144
    max_in_flight: int = 400
    breaker_failures: int = 10
    breaker_seconds: float = 30.0
    threads: int = 2
    large_bytes: int = 8_000_000
    progress_seconds: float = 5.0
    pack: PackSettings = field(default_factory=PackSettings)


async def fetch_shard(
    lake: Lake,
    shard: str,
    clients: HostClients,
    resolver: DidResolver,
    settings: FetchSettings | None = None,
    *,
    progress: Progress = lambda _done, _total, _bytes: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FetchResult:
    """Fetches what the shard's manifest lists and its pack lacks, or holds as failed.

    What is in hand is made durable when the call ends, cancellation and errors included; after a kill at most the last
    part (its size and age are in `PackSettings`) is fetched again.

    Args:
        lake: with the manifest; the pack goes there.
        shard: its key.
        clients: of all hosts.
        resolver: for the accounts' DID documents.
        settings: limits.
        progress: called every `progress_seconds`, and at the end.
        now: the clock that rows are stamped with.

    Returns:
        What this call did; failures of hosts and repositories are counted in it, not raised.

    Raises:
        FileNotFoundError: there is no such shard.
        CorruptStateError: another process writes to the shard's pack.
    """
    manifest = read_manifest(lake, shard)
    with lake.lock(layout.pack(shard)):
        settled = settled_dids(lake, shard)
        waiting = [row for row in manifest if row.did not in settled]
        fetch = RowsFetch(lake, shard, clients, resolver, settings or FetchSettings(), progress, now)
        return await fetch.run(waiting, repos=len(manifest))


@dataclass(frozen=True, slots=True)
class RowsFetch:
    """The fetch of some accounts of a shard, whose pack the caller has locked; arguments as of `fetch_shard`."""

    lake: Lake
    shard: str
    clients: HostClients
    resolver: DidResolver
    settings: FetchSettings
    progress: Progress
    now: Callable[[], datetime]

    async def run(self, waiting: list[ManifestRow], *, repos: int, held: AbstractSet[str] = frozenset()) -> FetchResult:
        """Fetches the accounts and adds their outcomes to the pack.

        Args:
            waiting: whom to ask for, and where.
            repos: accounts that the result is about; those not waiting count as settled before.
            held: DIDs of which the pack has a good outcome: a failure says nothing of these and is counted only.
        """
        started = time.monotonic()
        run = _Run(self, held)
        try:
            await run.fetch(waiting, self.progress)
        finally:
            run.close()
        counts = run.counts
        return FetchResult(
            shard=self.shard,
            repos=repos,
            settled_before=repos - len(waiting),
            fetched=counts.fetched,
            absent=dict(counts.absent),
            failed=dict(counts.failed),
            downloaded_bytes=counts.downloaded_bytes,
            parts=len(run.pack.parts),
            seconds=time.monotonic() - started,
        )


class _Run:
    """One call's state: what is written, what is counted, and the threads that check."""

    def __init__(self, fetch: RowsFetch, held: AbstractSet[str]) -> None:
        settings = fetch.settings
        self.pack = PackWriter(fetch.lake, fetch.shard, settings.pack)
        self.counts = OutcomeCounts()
        self._held = held
        self._clients = fetch.clients
        self._resolver = fetch.resolver
        self._settings = settings
        self._now = fetch.now
        self._threads = RepositoryThreads(settings.threads, settings.large_bytes)

    async def fetch(self, waiting: list[ManifestRow], progress: Progress) -> None:
        by_host: dict[Host, list[ManifestRow]] = defaultdict(list)
        for row in waiting:
            by_host[row.host].append(row)
        share = max(_LEAST_WORKERS, self._settings.max_in_flight // max(1, len(by_host)))
        ticker = asyncio.create_task(self._tick(len(waiting), progress))
        try:
            async with asyncio.TaskGroup() as group:
                for host, rows in by_host.items():
                    client = self._clients.client(host)
                    breaker = HostBreaker(self._settings.breaker_failures, self._settings.breaker_seconds)
                    queue = iter(rows)
                    for _ in range(min(share, self._clients.settings.max_in_flight, len(rows))):
                        group.create_task(self._work(client, breaker, queue))
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
        progress(self.counts.done, len(waiting), self.counts.downloaded_bytes)

    def close(self) -> None:
        """Makes durable what is in hand."""
        self._threads.close()
        self.pack.flush()

    async def _tick(self, total: int, progress: Progress) -> None:
        while True:
            await asyncio.sleep(self._settings.progress_seconds)
            progress(self.counts.done, total, self.counts.downloaded_bytes)
            await self._threads.run(0, self.pack.flush_old)

    async def _work(self, client: HostClient, breaker: HostBreaker, queue: Iterator[ManifestRow]) -> None:
        for row in queue:
            with _Download(row, client, breaker, self._settings, self._threads) as download:
                outcome = await self._outcome(row, download)
                if outcome.state != FAILED or row.did not in self._held:
                    await self._threads.run(len(outcome.car or b""), partial(self.pack.add, outcome))
                self.counts.add(outcome)

    async def _outcome(self, row: ManifestRow, download: "_Download") -> PackRow:
        """One repository's row: its CAR, and then its DID document, so that the key is the newer of the two."""
        rev = found = None
        state, reason, detail = FETCHED, None, None
        try:
            rev, detail = await download.retrying()
            found = await self._document(row.did, rev)
        except UpstreamError as error:
            (state, reason), detail = state_of(error), error.detail or None
        car = None if state == ABSENT else download.car()
        document, former_keys = (None, None) if found is None else (found.text, found.former_keys or None)
        return PackRow(row.did, row.host.key, rev, state, reason, detail, self._now(), document, former_keys, car)

    async def _document(self, did: str, rev: str | None) -> ResolvedDid:
        """The account's document, no older than the commit that its key signed."""
        try:
            return await self._resolver.resolve(did, since=None if rev is None else _time_of(rev))
        except (UpstreamError, InvalidDataError) as error:
            reason = error.reason if error.reason.startswith("did-") else f"did-{error.reason}"
            raise UpstreamError(reason, error.detail, is_transient=False) from error


class _Download:
    """The attempts to get one repository; holds the last body that arrived whole, sound or damaged."""

    def __init__(
        self,
        row: ManifestRow,
        client: HostClient,
        breaker: HostBreaker,
        settings: FetchSettings,
        threads: RepositoryThreads,
    ) -> None:
        self._row = row
        self._client = client
        self._breaker = breaker
        self._settings = settings
        self._threads = threads
        self._body: SpooledBody | None = None

    async def retrying(self) -> tuple[str | None, str | None]:
        """Downloads and checks, again while it may help; gives what `_check` gives, or raises the last failure."""
        return await self._client.retrying(self._attempt)

    def car(self) -> memoryview | None:
        """The last whole body; null when none arrived."""
        return None if self._body is None else self._body.view()

    async def _attempt(self) -> tuple[str | None, str | None]:
        self._breaker.check()
        try:
            body = await self._receive()
        except UpstreamError as error:
            self._breaker.fail(error.reason)
            raise
        self._breaker.succeed()
        self._replace(body)
        try:
            return await self._threads.run(body.size_bytes, lambda: _check(body.view(), self._row.did))
        except InvalidDataError as error:
            raise UpstreamError(error.reason, error.detail, is_transient=True) from error

    async def _receive(self) -> SpooledBody:
        settings = self._settings
        body = SpooledBody(settings.spool_bytes)
        try:
            async with self._client.stream(
                _GET_REPO, {"did": self._row.did}, max_bytes=settings.max_car_bytes, whole_seconds=settings.car_seconds
            ) as chunks:
                async for chunk in chunks:
                    body.write(chunk)
        except BaseException:
            body.close()
            raise
        return body

    def _replace(self, body: SpooledBody | None) -> None:
        if self._body is not None:
            self._body.close()
        self._body = body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._replace(None)


def _time_of(rev: str) -> datetime:
    return datetime.fromtimestamp(tid_micros(tid_to_int(rev)) / 1e6, UTC)


def _check(car: memoryview, did: str) -> tuple[str | None, str | None]:
    """Walks the repository; gives its rev and null, or null and what is wrong with it as its account published it.

    Every block's hash is checked before the tree is walked: a fault of the tree's or the commit's form that then shows
    is no transport's, and fetching again would not mend it. The extraction says what becomes of such a repository.

    Raises:
        InvalidDataError: damage on the way: framing, a hash, a block that is missing, another account's repository.
    """
    try:
        repository = scan_repository(car)
    except InvalidDataError as error:
        if error.reason.startswith(_PUBLISHED_FAULTS) and not error.reason.endswith("-missing-block"):
            return None, str(error)
        raise
    if repository.commit.did != did:
        raise InvalidDataError("commit-other-did", f"asked for {did}, got {repository.commit.did[:200]!r}")
    return repository.commit.rev, None
