"""The services behind custom feeds: where one is, by its DID document, and what it gives. Nothing of it is shown here.

DIDs and URLs come from anybody's records: connections go to public addresses only, redirects are not followed, and
answers are bounded in size and in time. Specification: the lexicon app.bsky.feed.getFeedSkeleton.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from zeppelin_api.errors import ApiError
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import DEFAULT_USER_AGENT, ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.guard import GuardedBackend, GuardedTransport
from zeppelin_pipeline.hosts.host import parse_host
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver

_METHOD: Final = "app.bsky.feed.getFeedSkeleton"
_MAX_BYTES: Final = 1_000_000
_CHUNK_BYTES: Final = 65_536
_LONGEST_TEXT: Final = 1000
#: Connections, and requests under way, in all and to one service or host of documents: who hangs must not hold up the
#: others, and many who hang must leave room for what asks nobody.
_MAX_CONNECTIONS: Final = 100
_MAX_IN_FLIGHT: Final = 20
_CONNECT_SECONDS: Final = 3.0
#: For how long a service's DID document is taken to be as it was, and how many are remembered.
_REMEMBERED_SECONDS: Final = 600.0
_MAX_REMEMBERED: Final = 10_000


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)


class SkeletonReason(_Model):
    """`app.bsky.feed.defs#skeletonReasonRepost` or `#skeletonReasonPin`."""

    type: str = Field(alias="$type")
    repost: str | None = None


class SkeletonPost(_Model):
    """`app.bsky.feed.defs#skeletonFeedPost`."""

    post: str
    reason: SkeletonReason | None = None
    feed_context: str | None = Field(None, max_length=2000)


class Skeleton(_Model):
    """The output of `app.bsky.feed.getFeedSkeleton`."""

    feed: list[SkeletonPost]
    cursor: str | None = None
    req_id: str | None = Field(None, max_length=100)


@dataclass(frozen=True, slots=True)
class SkeletonAnswer:
    """A skeleton, and the language that its service says it is in."""

    skeleton: Skeleton
    content_language: str | None


class FeedServices:
    """The client of all services. An async `with`."""

    def __init__(self, settings: ApiSettings) -> None:
        self._seconds = settings.feed_timeout_seconds
        backend = GuardedBackend(allow_private=settings.allow_private_hosts)
        self._hosts = HostClients(
            ClientSettings(
                timeouts=Timeouts(_CONNECT_SECONDS, self._seconds, self._seconds), retry=RetryPolicy(attempts=1)
            ),
            backend=backend,
        )
        self._resolver = DidResolver(self._get_url, settings.plc_url, allow_http=settings.allow_private_hosts)
        limits = httpx2.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_CONNECTIONS // 2)
        self._http = httpx2.AsyncClient(
            transport=GuardedTransport(backend, tls=httpx2.create_ssl_context(), limits=limits),
            timeout=httpx2.Timeout(self._seconds, connect=_CONNECT_SECONDS),
            headers={"user-agent": DEFAULT_USER_AGENT, "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )
        self._remembered: dict[str, tuple[float, DidDocument]] = {}
        self._resolving: dict[str, asyncio.Task[DidDocument]] = {}
        self._in_flight: Counter[str] = Counter()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Be ready; connections are made when they are needed."""
        await self._open.enter_async_context(self._hosts)
        await self._open.enter_async_context(self._http)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def resolve(self, did: str) -> DidDocument:
        """The document of a DID, as it is now or was a few minutes ago.

        Raises:
            InvalidDataError: it is no DID of a known method, or its document is none.
            UpstreamError: nobody gives it, or too many are asked.
        """
        known = self._remembered.get(did)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        task = self._resolving.get(did)
        if task is None:  # whoever asks meanwhile waits for the same answer
            task = self._resolving[did] = asyncio.create_task(self._resolve(did))
            task.add_done_callback(lambda task: self._resolved(did, task))
        return await asyncio.shield(task)

    def _resolved(self, did: str, task: asyncio.Task[DidDocument]) -> None:
        del self._resolving[did]
        if not task.cancelled():
            task.exception()  # perhaps nobody waits for it any more

    async def _resolve(self, did: str) -> DidDocument:
        try:
            with self._place(_document_host(did)):
                async with asyncio.timeout(self._seconds):
                    document = (await self._resolver.resolve(did)).document
        except TimeoutError as error:
            raise UpstreamError("timeout", did, is_transient=True) from error
        self._remembered.pop(did, None)
        while len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[did] = (time.monotonic() + _REMEMBERED_SECONDS, document)
        return document

    async def skeleton(
        self, endpoint: str, parameters: Mapping[str, str | int], headers: Mapping[str, str]
    ) -> SkeletonAnswer:
        """What a service gives.

        Args:
            endpoint: its URL.
            parameters: of the method.
            headers: of the request.

        Raises:
            ApiError: the service's own error (`UnknownFeed`, or any other that it gives), `InvalidFeedResponse` when
                its answer is none, or `UpstreamFailure` when it does not answer.
        """
        try:
            parts = urlsplit(endpoint)
            url = f"{parse_host(f'{parts.scheme}://{parts.netloc}').url}/xrpc/{_METHOD}"
            with self._place(url):
                async with asyncio.timeout(self._seconds):
                    return await self._ask(url, parameters, headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, UpstreamError, InvalidDataError) as error:
            raise ApiError("UpstreamFailure", "feed unavailable", 502) from error

    @contextmanager
    def _place(self, whom: str) -> Generator[None]:
        """One of the requests that may be under way to a service, or for the documents of a host."""
        if self._in_flight[whom] >= _MAX_IN_FLIGHT or self._in_flight.total() >= _MAX_CONNECTIONS:
            raise UpstreamError("busy", whom, is_transient=True)
        self._in_flight[whom] += 1
        try:
            yield
        finally:
            self._in_flight[whom] -= 1
            if not self._in_flight[whom]:
                del self._in_flight[whom]

    async def _ask(self, url: str, parameters: Mapping[str, str | int], headers: Mapping[str, str]) -> SkeletonAnswer:
        request = self._http.build_request("GET", url, params=dict(parameters), headers=dict(headers))
        response = await self._http.send(request, stream=True)
        try:
            body = await _read(response)
        finally:
            await response.aclose()
        if response.status_code >= 400:
            raise _own_error(response.status_code, body)
        if response.status_code != 200:
            raise _invalid()
        try:
            return SkeletonAnswer(Skeleton.model_validate_json(body), _content_language(response))
        except ValidationError as error:
            raise _invalid() from error

    async def _get_url(self, url: str, max_bytes: int) -> bytes:
        return await self._hosts.get_url(url, max_bytes=max_bytes)


def _document_host(did: str) -> str:
    """Who is asked for a DID's document: the host of a did:web, or for others whoever their method has."""
    method, _, name = did.removeprefix("did:").partition(":")
    return f"did:{method}:{name}" if method == "web" else f"did:{method}"


class _ErrorBody(BaseModel):
    error: str = Field(min_length=1, max_length=_LONGEST_TEXT)
    message: str = Field("", max_length=_LONGEST_TEXT)


async def _read(response: httpx2.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _invalid()
    body = bytearray()
    async for chunk in response.aiter_raw(_CHUNK_BYTES):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise _invalid()
    return bytes(body)


def _content_language(response: httpx2.Response) -> str | None:
    """As the service says; None when it says nothing that a header of ours may say."""
    language = response.headers.get("content-language", "")
    return language if 0 < len(language) <= _LONGEST_TEXT and language.isascii() and language.isprintable() else None


def _own_error(status: int, body: bytes) -> ApiError:
    """The service's error, handed on; its failures are not ours."""
    try:
        error = _ErrorBody.model_validate_json(body)
    except ValidationError:
        return _invalid()
    return ApiError(error.error, error.message, 502 if status == 500 or status > 599 else status)


def _invalid() -> ApiError:
    return ApiError("InvalidFeedResponse", "feed provided an invalid response", 502)
