"""What a DID document says about an account: handle, PDS, keys, services. Parsing only; nothing is fetched or verified.

Source: the AT Protocol's identity and DID specifications. A document is hostile input: every field may be anything.
What a document does not say, or says in a form that the protocol does not know, is null; only a document of another DID
is refused.
"""

from dataclasses import dataclass
from reprlib import repr as short_repr
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson

from zeppelin_pipeline.atproto.crypto import Curve, PublicKey
from zeppelin_pipeline.atproto.syntax import is_did, is_handle
from zeppelin_pipeline.errors import InvalidDataError

#: The longest document that is read; the largest of PLC's are a few kilobytes.
MAX_DOCUMENT_BYTES: Final = 65_536
_MOST_ENTRIES: Final = 100
_LONGEST_TEXT: Final = 2048
#: Types of before 2023, whose multibase holds a bare point; documents of did:web may still have them.
_LEGACY_KEY_CURVES: Final[dict[str, Curve]] = {
    "EcdsaSecp256k1VerificationKey2019": "k256",
    "EcdsaSecp256r1VerificationKey2019": "p256",
}


@dataclass(frozen=True, slots=True)
class DidDocument:
    """The parts of a DID document that the protocol uses; null where it does not say.

    Attributes:
        did: whose it is.
        handle: the first valid `at://` name that it claims, lower-case; verified by nobody here.
        pds: URL of the account's PDS, as written, without a trailing slash.
        signing_key: multibase (with multicodec, as in a Multikey) of the key that signs commits.
        labeler: URL of the account's labeler.
        label_key: multibase of the key that signs labels.
        feed_generator: URL of the feed generator that the DID is.
    """

    did: str
    handle: str | None = None
    pds: str | None = None
    signing_key: str | None = None
    labeler: str | None = None
    label_key: str | None = None
    feed_generator: str | None = None

    def public_key(self) -> PublicKey:
        """The key that signs commits.

        Raises:
            InvalidDataError: `did-no-signing-key`, or what `PublicKey.from_multibase` raises.
        """
        if self.signing_key is None:
            raise InvalidDataError("did-no-signing-key", self.did)
        return PublicKey.from_multibase(self.signing_key)


def parse_document(body: bytes | str, did: str) -> DidDocument:
    """Reads a DID document.

    Args:
        body: JSON, UTF-8.
        did: whose document was asked for.

    Raises:
        InvalidDataError: `did-document`, no JSON object, too large, or the document of another DID.
    """
    if len(body) > MAX_DOCUMENT_BYTES:
        raise InvalidDataError("did-document", f"{did}: {len(body)} bytes")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidDataError("did-document", f"{did}: {error}") from error
    return read_document(value, did)


def read_document(value: Any, did: str) -> DidDocument:
    """Reads a DID document that is decoded already; raises as `parse_document`."""
    if not isinstance(value, dict):
        raise InvalidDataError("did-document", f"{did}: no object")
    document = cast("dict[str, Any]", value)
    if document.get("id") != did or not is_did(did):
        told_id = short_repr(document.get("id"))  # that of a thousand nested lists cannot be made whole
        raise InvalidDataError("did-document", f"asked for {did}, got that of {told_id}")
    return DidDocument(
        did=did,
        handle=_handle(document),
        pds=_service(document, did, "#atproto_pds", "AtprotoPersonalDataServer"),
        signing_key=_key(document, did, "#atproto"),
        labeler=_service(document, did, "#atproto_labeler", "AtprotoLabeler"),
        label_key=_key(document, did, "#atproto_label"),
        feed_generator=_service(document, did, "#bsky_fg", "BskyFeedGenerator"),
    )


def _handle(document: dict[str, Any]) -> str | None:
    for name in _entries(document, "alsoKnownAs"):
        if isinstance(name, str) and name.startswith("at://") and is_handle(name[5:]):
            return name[5:].lower()
    return None


def _service(document: dict[str, Any], did: str, fragment: str, kind: str) -> str | None:
    entry = _by_fragment(document, "service", did, fragment)
    url = entry.get("serviceEndpoint") if entry.get("type") == kind else None
    if not isinstance(url, str) or len(url) > _LONGEST_TEXT or not url.startswith(("https://", "http://")):
        return None
    if not url.isascii() or not url.isprintable():  # no URL (RFC 3986), and NUL could not even be stored
        return None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return url.rstrip("/") if has_host else None


def _key(document: dict[str, Any], did: str, fragment: str) -> str | None:
    entry = _by_fragment(document, "verificationMethod", did, fragment)
    kind, text = entry.get("type"), entry.get("publicKeyMultibase")
    if not isinstance(kind, str) or not isinstance(text, str):
        return None
    try:
        if kind in _LEGACY_KEY_CURVES:
            return PublicKey.from_legacy_multibase(_LEGACY_KEY_CURVES[kind], text).to_multibase()
        # A key's one Multikey text is the one that is read.
        return text if kind == "Multikey" and PublicKey.from_multibase(text) else None
    except InvalidDataError:
        return None


def _by_fragment(document: dict[str, Any], field: str, did: str, fragment: str) -> dict[str, Any]:
    """The first entry of that id, relative or whole; the specification lets the first one win."""
    for entry in _entries(document, field):
        if isinstance(entry, dict):
            fields = cast("dict[str, Any]", entry)
            name = fields.get("id")
            if isinstance(name, str) and name in {fragment, did + fragment}:
                return fields
    return {}


def _entries(document: dict[str, Any], field: str) -> list[Any]:
    value = document.get(field)
    return cast("list[Any]", value)[:_MOST_ENTRIES] if isinstance(value, list) else []
