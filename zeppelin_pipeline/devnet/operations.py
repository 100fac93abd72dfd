"""PLC operations and the documents that follow from them. The directory that serves them is plc.py."""

from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.crypto import PrivateKey


@dataclass(frozen=True, slots=True)
class LabelerService:
    """What an operation says of an account's labeler: the `did:key` of its labels, and the service's URL."""

    key: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One signed operation of a DID's log: its content, and its CID as text."""

    content: dict[str, Any]
    cid: str


def signed_operation(
    rotation_key: PrivateKey,
    signing_key: str,
    handle: str,
    endpoint: str,
    previous: Operation | None,
    labeler: LabelerService | None = None,
) -> Operation:
    """A `plc_operation` (did:plc specification, v0.2), signed by the rotation key.

    Args:
        rotation_key: the only rotation key of the account.
        signing_key: `did:key:…` that signs the account's commits.
        handle: without `at://`.
        endpoint: URL of the account's PDS.
        previous: the operation before this one; None for the genesis.
        labeler: for an account that is one.
    """
    methods = {"atproto": signing_key}
    services = {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": endpoint}}
    if labeler is not None:
        methods["atproto_label"] = labeler.key
        services["atproto_labeler"] = {"type": "AtprotoLabeler", "endpoint": labeler.endpoint}
    content: dict[str, Any] = {
        "type": "plc_operation",
        "rotationKeys": [rotation_key.public_key.to_did_key()],
        "verificationMethods": methods,
        "alsoKnownAs": [f"at://{handle}"],
        "services": services,
        "prev": previous.cid if previous else None,
    }
    signature = rotation_key.sign(dag_cbor.encode(content))
    content["sig"] = urlsafe_b64encode(signature).rstrip(b"=").decode()
    return Operation(content, cid_to_text(cid_of(dag_cbor.encode(content))))


def plc_did(genesis: Operation) -> str:
    """`did:plc:` and the first 24 base32 characters of the SHA-256 of the signed genesis operation."""
    digest = sha256(dag_cbor.encode(genesis.content)).digest()
    return "did:plc:" + b32encode(digest).decode().lower()[:24]


def web_did(port: int) -> str:
    """The DID of an account whose document is at a port of localhost.

    The port is filled up with zeros to the 32 characters of a did:plc, on which the makers of records count.
    """
    return f"did:web:localhost%3A{port:012}"


def did_document(did: str, operation: Operation) -> dict[str, Any]:
    """The DID document of an operation, member for member as the public directory writes it."""
    methods: dict[str, str] = operation.content["verificationMethods"]
    services: dict[str, dict[str, str]] = operation.content["services"]
    suites = dict.fromkeys(f"https://w3id.org/security/suites/{_suite(key)}-2019/v1" for key in methods.values())
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1", *suites],
        "id": did,
        "alsoKnownAs": operation.content["alsoKnownAs"],
        "verificationMethod": [
            {
                "id": f"{did}#{name}",
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": key.removeprefix("did:key:"),
            }
            for name, key in methods.items()
        ],
        "service": [
            {"id": f"#{name}", "type": service["type"], "serviceEndpoint": service["endpoint"]}
            for name, service in services.items()
        ],
    }


def plc_data(did: str, operation: Operation) -> dict[str, Any]:
    """What the directory answers at `/{did}/data`."""
    names = ("verificationMethods", "rotationKeys", "alsoKnownAs", "services")
    return {"did": did} | {name: operation.content[name] for name in names}


def _suite(did_key: str) -> str:
    return "ecdsa" if did_key.startswith("did:key:zDn") else "secp256k1"
