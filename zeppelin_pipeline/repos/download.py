"""One repository's download, with its attempts; what becomes of it is `fetch`'s business.

A CAR is opened and its tree walked before it counts as fetched: a body cut at a block's boundary looks whole otherwise,
and is fetched again like any broken connection.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Self

from zeppelin_pipeline.atproto.scan import scan_repository
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClient
from zeppelin_pipeline.repos.fetch_body import SpooledBody
from zeppelin_pipeline.repos.fetch_outcome import HostBreaker
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.fetch_threads import RepositoryThreads
from zeppelin_pipeline.repos.manifests import ManifestRow

_GET_REPO: Final = "/xrpc/com.atproto.sync.getRepo"
_PUBLISHED_FAULTS: Final = ("commit-", "mst-", "cbor-")


class Download:
    """The attempts to get one repository; holds the last body that arrived whole, sound or damaged.

    Attributes:
        asked_at: when the last attempt began: what the host has done since, its answer may not tell.
    """

    def __init__(
        self,
        row: ManifestRow,
        client: HostClient,
        breaker: HostBreaker,
        settings: FetchSettings,
        threads: RepositoryThreads,
        now: Callable[[], datetime],
    ) -> None:
        self._row = row
        self._client = client
        self._breaker = breaker
        self._settings = settings
        self._threads = threads
        self._now = now
        self._body: SpooledBody | None = None
        self.asked_at = now()

    async def retrying(self) -> tuple[str | None, str | None]:
        """Downloads and checks, again while it may help; gives what `_check` gives, or raises the last failure."""
        return await self._client.retrying(self._attempt)

    def car(self) -> memoryview | None:
        """The last whole body; null when none arrived."""
        return None if self._body is None else self._body.view()

    async def _attempt(self) -> tuple[str | None, str | None]:
        self._breaker.check()
        self.asked_at = self._now()
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
