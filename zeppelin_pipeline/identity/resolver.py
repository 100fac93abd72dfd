"""How a DID becomes its document: did:plc by the directory, did:web by its host. No cache.

The bytes come through a function that the caller gives, which guards addresses, sizes and rates: identity knows no
transport.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from zeppelin_pipeline.atproto.syntax import is_did
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.identity.documents import MAX_DOCUMENT_BYTES, DidDocument, parse_document

#: Gets a URL's body of at most so many bytes; raises UpstreamError, and InvalidDataError for a URL that names no host.
GetUrl: TypeAlias = Callable[[str, int], Awaitable[bytes]]

#: The directory's answers that mean "there is no such account": never registered, and tombstoned.
_GONE_REASONS: Final = frozenset({"http-404", "http-410"})


@dataclass(frozen=True, slots=True)
class ResolvedDid:
    """A DID's document, parsed, and its JSON text as it was served."""

    document: DidDocument
    text: str


class DidResolver:
    """Resolves DIDs of the methods that the AT Protocol knows."""

    def __init__(self, get_url: GetUrl, plc_url: str, *, allow_http: bool = False) -> None:
        """Sets where to ask.

        Args:
            get_url: the transport.
            plc_url: the PLC directory's URL.
            allow_http: whether a did:web of localhost is asked by http, as in a test network.
        """
        self._get_url = get_url
        self._plc_url = plc_url.rstrip("/")
        self._allow_http = allow_http

    async def resolve(self, did: str) -> ResolvedDid:
        """Gets and parses the document.

        Raises:
            InvalidDataError: `did-syntax`, `did-method`, or `did-document`.
            UpstreamError: `did-gone`, the PLC directory has no such account any more; else the transport's.
        """
        url = self.document_url(did)
        try:
            body = await self._get_url(url, MAX_DOCUMENT_BYTES)
        except UpstreamError as error:
            if did.startswith("did:plc:") and error.reason in _GONE_REASONS:
                raise UpstreamError("did-gone", f"{did}: {error.detail}", is_transient=False) from error
            raise
        document = parse_document(body, did)
        return ResolvedDid(document, body.decode())

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
