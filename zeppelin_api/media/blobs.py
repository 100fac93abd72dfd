"""Blobs from the hosts that keep them, proven to be what their CIDs name."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, urlsplit
from weakref import WeakValueDictionary

from zeppelin_api.db import Database
from zeppelin_api.errors import ApiError
from zeppelin_api.hydration.labels import TAKEDOWNS
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_of, cid_to_text
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.limits import RetryPolicy

_GET_BLOB: Final = "/xrpc/com.atproto.sync.getBlob"
_CONNECT_SECONDS: Final = 5.0
_GONE: Final = frozenset({"not-found", "takendown", "suspended", "deactivated", "http-400", "http-404"})


@dataclass(frozen=True, slots=True)
class _HostRow:
    pds: str | None


class Blobs:
    """The blobs of all accounts. An async `with`.

    Memory: at most `ZEPPELIN_API_MEDIA_MAX_FETCHES` blobs of `ZEPPELIN_API_MEDIA_MAX_BYTES` at once, beside those that
    are on their way to readers.
    """

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._database = database
        seconds = settings.media_timeout_seconds
        timeouts = Timeouts(min(seconds, _CONNECT_SECONDS), seconds, seconds)
        self._hosts = HostClients(
            ClientSettings(allow_private=settings.allow_private_hosts, timeouts=timeouts, retry=RetryPolicy(attempts=1))
        )
        self._max_bytes = settings.media_max_bytes
        self._timeout_seconds = settings.media_timeout_seconds
        self._room = asyncio.Semaphore(settings.media_max_fetches)
        self._most_of_a_host = max(1, settings.media_max_fetches // 2)  # one that hangs must not hold up the others
        self._rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        # Who asks for an image names no labelers: the defaults' takedowns count.
        self._labelers = (*settings.labelers, *settings.takedown_labelers)

    async def __aenter__(self) -> Self:
        """Be ready; connections are made when they are needed."""
        await self._hosts.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hosts.aclose()

    async def fetch(self, host: str, did: str, cid: bytes) -> bytes:
        """A blob that is where `host_of` says; raises as `opened`."""
        async with self.opened(host, did, cid) as content:
            return content

    async def host_of(self, did: str, cid: bytes) -> str:
        """The URL of the host of an account that is shown, and whose blob is.

        Raises:
            ApiError: `BlobNotFound`, the account is not shown, a record with it was taken down, or no host is known.
        """
        async with self._database.session() as session:
            keys = session.keys
            rows = await session.rows(
                _HostRow,
                "find_blob_host",
                actor=keys.actor_id(did),
                cid=cid,
                labelers=[keys.actor_id(labeler) for labeler in self._labelers],
                takedowns=list(TAKEDOWNS),
            )
        for row in rows:
            if row.pds is not None:
                return row.pds.rstrip("/")
        raise _not_found()

    @asynccontextmanager
    async def opened(self, host: str, did: str, cid: bytes) -> AsyncGenerator[bytes]:
        """A blob, which has its place among those that are held until the block ends.

        Args:
            host: where it is.
            did: its account.
            cid: of the blob, a raw one.

        Raises:
            ApiError: `BlobNotFound`, or `UpstreamFailure` when its host does not give it whole and right.
        """
        if not cid.startswith(RAW_PREFIX):
            raise _not_found()
        async with AsyncExitStack() as places:
            content = await self._get(f"{host}{_GET_BLOB}?did={quote(did, safe=':')}&cid={cid_to_text(cid)}", places)
            if cid_of(content, RAW_PREFIX) != cid:
                raise _not_given("its bytes are not those that the CID names")
            yield content

    async def _get(self, url: str, places: AsyncExitStack) -> bytes:
        """What a host gives; it has its places among those of the host, and among all, until they are given back."""
        try:
            async with asyncio.timeout(self._timeout_seconds):  # waiting for a place included
                await places.enter_async_context(self._room_of(urlsplit(url).netloc))
                await places.enter_async_context(self._room)
                return await self._hosts.get_url(url, max_bytes=self._max_bytes)
        except UpstreamError as error:
            raise (_not_found() if error.reason in _GONE else _not_given(error.reason)) from error
        except (TimeoutError, InvalidDataError) as error:
            raise _not_given(str(error)) from error

    def _room_of(self, host: str) -> asyncio.Semaphore:
        """The places for blobs of one host; forgotten when nobody has one or waits for one."""
        return self._rooms.setdefault(host, asyncio.Semaphore(self._most_of_a_host))


def _not_found() -> ApiError:
    return ApiError("BlobNotFound", "Blob not found", 404)


def _not_given(why: str) -> ApiError:
    return ApiError("UpstreamFailure", f"The account's host does not give the blob: {why or 'it took too long'}", 502)
