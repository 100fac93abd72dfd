"""How a DID becomes its document: did:plc by the mirror of the directory or itself, did:web by its host.

The bytes come through a function that the caller gives, which guards addresses, sizes and rates: identity knows no
transport.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from zeppelin_pipeline.atproto.syntax import is_did
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.identity.documents import MAX_DOCUMENT_BYTES, DidDocument, parse_document
from zeppelin_pipeline.identity.domains import Breaker
from zeppelin_pipeline.identity.web_documents import GetUrl, WebDocuments

#: The directory's answers that mean "there is no such account", when they name it: never registered, and tombstoned.
_GONE_REASONS: Final = frozenset({"http-404", "http-410"})


@dataclass(frozen=True, slots=True)
class ResolvedDid:
    """A DID's document.

    Attributes:
        document: parsed.
        text: its JSON, as it was served.
        former_keys: multibase; keys that signed the account's commits at the time that was asked for, and do no more.
            Only a mirror knows them.
    """

    document: DidDocument
    text: str
    former_keys: tuple[str, ...] = ()


#: A mirror of the PLC directory: gives a document that is no older than a time, or null to have the directory asked.
AskMirror: TypeAlias = Callable[[str, datetime | None], Awaitable[ResolvedDid | None]]


class DidResolver:
    """Resolves DIDs of the methods that the AT Protocol knows.

    A directory that failed several times in a row is left alone for half a minute, so that thousands of accounts do not
    each wait for it.
    """

    def __init__(
        self,
        get_url: GetUrl,
        plc_url: str,
        *,
        allow_http: bool = False,
        ask_mirror: AskMirror | None = None,
        web_seconds: float = 0.0,
    ) -> None:
        """Sets where to ask.

        Args:
            get_url: the transport.
            plc_url: the PLC directory's URL.
            allow_http: whether a did:web of localhost is asked by http, as in a test network.
            ask_mirror: asked first for a did:plc.
            web_seconds: for how long the document of a did:web does for others who ask; 0 asks its host each time.
        """
        self._get_url = get_url
        self._plc_url = plc_url.rstrip("/")
        self._allow_http = allow_http
        self._ask_mirror = ask_mirror
        self._breaker = Breaker()
        self._web = WebDocuments(get_url, web_seconds)

    async def resolve(self, did: str, *, since: datetime | None = None) -> ResolvedDid:
        """Gets and parses the document.

        Args:
            did: of any method.
            since: what was known before this will not do: something was signed then, by the key of that time.

        Raises:
            InvalidDataError: `did-syntax`, `did-method`, or `did-document`.
            UpstreamError: `did-gone`, the PLC directory names it as no account of its own; `directory-down`, it has
                failed several times in a row; `did-web-down`, hosts of the domain have; else the transport's.
        """
        url = self.document_url(did)
        if not did.startswith("did:plc:"):
            body = await self._web.get(url, unquote(did.removeprefix("did:web:")), since)
        else:
            mirrored = None if self._ask_mirror is None else await self._ask_mirror(did, since)
            if mirrored is not None:
                return mirrored
            body = await self._ask_directory(did, url)
        document = parse_document(body, did)
        return ResolvedDid(document, body.decode())

    async def _ask_directory(self, did: str, url: str) -> bytes:
        if not self._breaker.lets_through():
            raise UpstreamError("directory-down", f"{self._breaker.failures} failures in a row", is_transient=True)
        try:
            with self._breaker.watching():
                return await self._get_url(url, MAX_DOCUMENT_BYTES)
        except UpstreamError as error:
            if error.reason in _GONE_REASONS and did in error.detail:  # another server knows no such page, of nobody
                raise UpstreamError("did-gone", f"{did}: {error.detail}", is_transient=False) from error
            raise

    def document_url(self, did: str) -> str:
        """Where a DID's document is; raises InvalidDataError for what is no DID of a known method."""
        if not is_did(did):
            raise InvalidDataError("did-syntax", did[:200])
        method, _, identifier = did.removeprefix("did:").partition(":")
        match method:
            case "plc":
                return f"{self._plc_url}/{quote(did, safe=':')}"
            case "web":
                return self._web_url(did, identifier)
            case _:
                raise InvalidDataError("did-method", did[:200])

    def _web_url(self, did: str, identifier: str) -> str:
        # The AT Protocol takes did:web for whole hosts only, and a port (%3A) for localhost only.
        if ":" in identifier:
            raise InvalidDataError("did-method", f"a path in {did[:200]}")
        host = unquote(identifier)
        is_local = host == "localhost" or host.startswith("localhost:")
        if not is_local and host != identifier:
            raise InvalidDataError("did-method", f"a port in {did[:200]}")
        scheme = "http" if is_local and self._allow_http else "https"
        return f"{scheme}://{host}/.well-known/did.json"
