"""PLC operations: read from JSON, encoded, hashed, their signatures checked. How they make up a log is in `plc_log`.

Source: the did:plc specification (v0.3), and the reference implementation where the specification is silent: the legacy
`create` operation, and the members that an operation may have.
"""

from base64 import b32encode, urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from reprlib import repr as short_repr
from typing import Any, Final, Literal, TypeAlias, cast

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_from_text, cid_of, cid_to_text
from zeppelin_pipeline.atproto.crypto import SIGNATURE_BYTES, PublicKey
from zeppelin_pipeline.errors import InvalidDataError

OperationKind: TypeAlias = Literal["plc_operation", "plc_tombstone", "create"]

_MEMBERS: Final[dict[str, frozenset[str]]] = {
    "plc_operation": frozenset(
        ("type", "rotationKeys", "verificationMethods", "alsoKnownAs", "services", "prev", "sig")
    ),
    "plc_tombstone": frozenset(("type", "prev", "sig")),
    "create": frozenset(("type", "signingKey", "recoveryKey", "handle", "service", "prev", "sig")),
}
#: Every key of the network that is tried: bridges and large hosts rotate with one key each.
_CACHED_KEYS: Final = 16_384
_ATPROTO: Final = "atproto"
_SUITES: Final = {"k256": "secp256k1", "p256": "ecdsa"}


@dataclass(frozen=True, slots=True)
class PlcService:
    """A service of an account: its type and URL, as written."""

    type: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class PlcData:
    """What an operation says of its DID.

    Attributes:
        rotation_keys: `did:key` texts, the most powerful first.
        verification_methods: `did:key` texts by name (`atproto`, `atproto_label`).
        also_known_as: URIs, `at://` and a handle among them.
        services: by name (`atproto_pds`, `atproto_labeler`).
    """

    rotation_keys: tuple[str, ...]
    verification_methods: dict[str, str]
    also_known_as: tuple[str, ...]
    services: dict[str, PlcService]

    @property
    def signing_key(self) -> str | None:
        """The `did:key` that signs commits; null where none is named."""
        return self.verification_methods.get(_ATPROTO)


@dataclass(frozen=True, slots=True)
class PlcOperation:
    """One signed operation.

    Attributes:
        kind: `create` is the legacy form of a genesis.
        block: its DAG-CBOR with the signature, whose hash is its CID.
        cid: 36 bytes.
        prev: CID of the operation before; null for a genesis.
        signature: 64 bytes.
        unsigned: the bytes that the signature covers.
        data: what it says; null for a tombstone.
    """

    kind: OperationKind
    block: bytes
    cid: bytes
    prev: bytes | None
    signature: bytes
    unsigned: bytes
    data: PlcData | None

    def content(self) -> dict[str, Any]:
        """The operation as JSON values."""
        return cast("dict[str, Any]", dag_cbor.decode(self.block))


def parse_operation(value: Any) -> PlcOperation:
    """Reads an operation from decoded JSON or DAG-CBOR.

    Raises:
        InvalidDataError: `plc-shape` for what is no operation, `plc-signature-form` for a signature that is not 64
            bytes in unpadded base64url, `plc-prev` for one that names no CID.
    """
    if not isinstance(value, dict):
        raise InvalidDataError("plc-shape", "no object")
    content = cast("dict[str, Any]", value)
    kind = content.get("type")
    if not isinstance(kind, str) or content.keys() != _MEMBERS.get(kind):
        raise InvalidDataError("plc-shape", f"type {short_repr(kind)} with {', '.join(map(str, content))}"[:300])
    data = None
    if kind == "create":
        data = _legacy_data(content)
    elif kind == "plc_operation":
        data = _data(content)
    block = dag_cbor.encode(content)
    return PlcOperation(
        kind=cast("OperationKind", kind),
        block=block,
        cid=cid_of(block),
        prev=_prev(content["prev"]),
        signature=_signature(content["sig"]),
        unsigned=dag_cbor.encode({name: member for name, member in content.items() if name != "sig"}),
        data=data,
    )


def decode_operation(block: bytes) -> PlcOperation:
    """Reads an operation from its block; raises as `parse_operation` and `dag_cbor.decode`."""
    return parse_operation(dag_cbor.decode(block))


def cid_text(operation: PlcOperation) -> str:
    """The operation's CID as `prev` names it."""
    return cid_to_text(operation.cid)


def did_of_genesis(operation: PlcOperation) -> str:
    """`did:plc:` and the first 24 base32 characters of the SHA-256 of the signed genesis."""
    return "did:plc:" + b32encode(sha256(operation.block).digest()).decode().lower()[:24]


def signer_rank(operation: PlcOperation, rotation_keys: Sequence[str]) -> int | None:
    """The place of the first of some `did:key`s that signed the operation; null when none did.

    A key that cannot be read, or is of another curve, signs nothing.
    """
    for rank, text in enumerate(rotation_keys):
        key = _key(text)
        if key is not None and key.verify(operation.signature, operation.unsigned):
            return rank
    return None


def is_key(text: str) -> bool:
    """Whether a text is a `did:key` that can be read; an operation may name anything."""
    return _key(text) is not None


def did_document(did: str, data: PlcData) -> dict[str, Any]:
    """The DID document, member for member as the public directory writes it."""
    contexts = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"]
    methods: list[dict[str, str]] = []
    for name, text in data.verification_methods.items():
        key = _key(text)
        suite = None if key is None else f"https://w3id.org/security/suites/{_SUITES[key.curve]}-2019/v1"
        if suite is not None and suite not in contexts:
            contexts.append(suite)
        multibase = text.removeprefix("did:key:")
        methods.append({"id": f"{did}#{name}", "type": "Multikey", "controller": did, "publicKeyMultibase": multibase})
    return {
        "@context": contexts,
        "id": did,
        "alsoKnownAs": list(data.also_known_as),
        "verificationMethod": methods,
        "service": [
            {"id": f"#{name}", "type": service.type, "serviceEndpoint": service.endpoint}
            for name, service in data.services.items()
        ],
    }


def document_data(did: str, data: PlcData) -> dict[str, Any]:
    """What the public directory answers at `/{did}/data`."""
    return {
        "did": did,
        "verificationMethods": data.verification_methods,
        "rotationKeys": list(data.rotation_keys),
        "alsoKnownAs": list(data.also_known_as),
        "services": {
            name: {"type": service.type, "endpoint": service.endpoint} for name, service in data.services.items()
        },
    }


def _data(content: dict[str, Any]) -> PlcData:
    return PlcData(
        rotation_keys=_texts(content["rotationKeys"]),
        verification_methods={name: _text(key) for name, key in _members(content["verificationMethods"]).items()},
        also_known_as=_texts(content["alsoKnownAs"]),
        services={name: _service(service) for name, service in _members(content["services"]).items()},
    )


def _legacy_data(content: dict[str, Any]) -> PlcData:
    """A `create` as the operation that it stands for; the recovery key is the more powerful one."""
    signing_key, service, handle = map(_text, (content["signingKey"], content["service"], content["handle"]))
    return PlcData(
        rotation_keys=(_text(content["recoveryKey"]), signing_key),
        verification_methods={_ATPROTO: signing_key},
        also_known_as=(handle if handle.startswith("at://") else f"at://{_without_scheme(handle)}",),
        services={"atproto_pds": PlcService("AtprotoPersonalDataServer", _with_scheme(service))},
    )


def _without_scheme(text: str) -> str:
    return text.removeprefix("https://").removeprefix("http://")


def _with_scheme(text: str) -> str:
    return text if text.startswith(("https://", "http://")) else f"https://{text}"


def _service(value: Any) -> PlcService:
    members = _members(value)
    if members.keys() != {"type", "endpoint"}:
        raise InvalidDataError("plc-shape", "a service has a type and an endpoint")
    return PlcService(_text(members["type"]), _text(members["endpoint"]))


def _members(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidDataError("plc-shape", f"{type(value).__name__} in place of an object")
    return cast("dict[str, Any]", value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidDataError("plc-shape", f"{type(value).__name__} in place of a list")
    return tuple(_text(item) for item in cast("list[Any]", value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidDataError("plc-shape", f"{type(value).__name__} in place of a text")
    return value


def _prev(value: Any) -> bytes | None:
    if value is None:
        return None
    try:
        return cid_from_text(_text(value))
    except InvalidDataError as error:
        raise InvalidDataError("plc-prev", error.detail) from error


def _signature(value: Any) -> bytes:
    # Unpadded, with no spare bits set: every other spelling would give one operation several CIDs.
    text = _text(value)
    try:
        signature = urlsafe_b64decode(text + "==")
    except ValueError as error:
        raise InvalidDataError("plc-signature-form", text[:100]) from error
    if len(signature) != SIGNATURE_BYTES or len(text) != 86 or not _is_canonical(text):
        raise InvalidDataError("plc-signature-form", text[:100])
    return signature


def _is_canonical(text: str) -> bool:
    """Whether 86 characters are base64url whose last one holds no bits beyond the 512."""
    return text[-1] in "AQgw" and "+" not in text and "/" not in text


@lru_cache(maxsize=_CACHED_KEYS)
def _key(text: str) -> PublicKey | None:
    try:
        return PublicKey.from_did_key(text)
    except InvalidDataError:
        return None
