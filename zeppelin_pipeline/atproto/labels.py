"""Labels: their form, what is signed of them, and the signature. Whether the labeler is trusted is not asked.

Specification: Labels. The signature is of the DAG-CBOR of the fields without `sig`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from zeppelin_pipeline.atproto.cid import cid_from_text
from zeppelin_pipeline.atproto.crypto import PrivateKey, PublicKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.syntax import is_did, parse_datetime
from zeppelin_pipeline.errors import InvalidDataError

LABEL_VERSION: Final = 1
MAX_VALUE_BYTES: Final = 128
MAX_URI_BYTES: Final = 8_192
SIGNATURE_BYTES: Final = 64

#: What is signed; others are no part of a label.
_SIGNED_FIELDS: Final = ("ver", "src", "uri", "cid", "val", "neg", "cts", "exp")


@dataclass(frozen=True, slots=True)
class Label:
    """A label of good form.

    Attributes:
        src: DID of the labeler.
        uri: what it is about.
        cid: of the one version that it is about, as bytes; none for all.
        value: what it says.
        is_negated: whether it takes back what was said before.
        created_micros: when, microseconds since the epoch.
        expires_micros: until when; null for ever.
        fields: those that are signed, as they are.
        signature: of 64 bytes.
    """

    src: str
    uri: str
    cid: bytes
    value: str
    is_negated: bool
    created_micros: int
    expires_micros: int | None
    fields: Mapping[str, Any]
    signature: bytes

    def encode(self) -> bytes:
        """The label as DAG-CBOR, signature included."""
        return encode({**self.fields, "sig": self.signature})

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether the key made the signature."""
        return key.verify(self.signature, encode(dict(self.fields)))


def sign_label(fields: Mapping[str, Any], key: PrivateKey) -> dict[str, Any]:
    """A label's fields with the version and the signature; those that are null are left out."""
    given = {"ver": LABEL_VERSION, **fields}
    signed = {name: given[name] for name in _SIGNED_FIELDS if given.get(name) is not None}
    return {**signed, "sig": key.sign(encode(signed))}


def read_label(value: Any) -> Label:
    """A label from its decoded form.

    Raises:
        InvalidDataError: `label-shape`, `label-version`, `label-src`, `label-uri`, `label-cid`, `label-value`,
            `label-time`, or `label-unsigned`.
    """
    fields = _fields(value)
    if fields.get("ver") != LABEL_VERSION:
        raise InvalidDataError("label-version", f"{fields.get('ver')!r}"[:100])
    src, uri, val = (_text(fields, name) for name in ("src", "uri", "val"))
    if not is_did(src):
        raise InvalidDataError("label-src", src[:200])
    if not uri or len(uri.encode()) > MAX_URI_BYTES:
        raise InvalidDataError("label-uri", uri[:200])
    if not 0 < len(val.encode()) <= MAX_VALUE_BYTES or "\0" in val:
        raise InvalidDataError("label-value", val[:200])
    is_negated = fields.get("neg", False)
    if not isinstance(is_negated, bool):
        raise InvalidDataError("label-shape", "neg is no boolean")
    return Label(
        src=src,
        uri=uri,
        cid=_cid(fields),
        value=val,
        is_negated=is_negated,
        created_micros=_micros(_text(fields, "cts")),
        expires_micros=_micros(_text(fields, "exp")) if "exp" in fields else None,
        fields={name: fields[name] for name in _SIGNED_FIELDS if name in fields},
        signature=_signature(fields),
    )


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidDataError("label-shape", "no object")
    return cast("dict[str, Any]", value)


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        raise InvalidDataError("label-shape", f"{name} is no text")
    return text


def _cid(fields: Mapping[str, Any]) -> bytes:
    if "cid" not in fields:
        return b""
    try:
        return cid_from_text(_text(fields, "cid"))
    except InvalidDataError as error:
        raise InvalidDataError("label-cid", error.detail) from error


def _micros(text: str) -> int:
    try:
        return parse_datetime(text)
    except InvalidDataError as error:
        raise InvalidDataError("label-time", text[:200]) from error


def _signature(fields: Mapping[str, Any]) -> bytes:
    signature = fields.get("sig")
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        raise InvalidDataError("label-unsigned", "no signature of 64 bytes")
    return signature
