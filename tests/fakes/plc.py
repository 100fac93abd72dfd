"""PLC operations made for tests: signed by keys that are the same in every run."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.crypto import Curve, PrivateKey
from zeppelin_pipeline.atproto.plc import PlcOperation, cid_text, did_of_genesis, parse_operation


def key(name: str, curve: Curve = "k256") -> PrivateKey:
    return PrivateKey(curve, sha256(name.encode()).digest())


#: The rotation keys of accounts, the more powerful first, and the first signing key.
RECOVERY, OPERATOR, SIGNING = key("recovery"), key("operator", "p256"), key("signing")


def did_key(private: PrivateKey) -> str:
    return private.public_key.to_did_key()


def signed(content: dict[str, Any], signer: PrivateKey) -> dict[str, Any]:
    """The operation as the directory gives it in JSON."""
    signature = signer.sign(dag_cbor.encode(content))
    return content | {"sig": urlsafe_b64encode(signature).rstrip(b"=").decode()}


def operation(
    prev: PlcOperation | None = None,
    *,
    signer: PrivateKey = OPERATOR,
    handle: str = "alice.test",
    signing: PrivateKey = SIGNING,
    pds: str = "https://pds.test",
    rotation: tuple[PrivateKey, ...] = (RECOVERY, OPERATOR),
) -> PlcOperation:
    return parse_operation(
        operation_json(prev, signer=signer, handle=handle, signing=signing, pds=pds, rotation=rotation)
    )


def operation_json(
    prev: PlcOperation | None = None,
    *,
    signer: PrivateKey = OPERATOR,
    handle: str = "alice.test",
    signing: PrivateKey = SIGNING,
    pds: str = "https://pds.test",
    rotation: tuple[PrivateKey, ...] = (RECOVERY, OPERATOR),
) -> dict[str, Any]:
    content = {
        "type": "plc_operation",
        "rotationKeys": [did_key(each) for each in rotation],
        "verificationMethods": {"atproto": did_key(signing)},
        "alsoKnownAs": [f"at://{handle}"],
        "services": {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": pds}},
        "prev": None if prev is None else cid_text(prev),
    }
    return signed(content, signer)


def tombstone(prev: PlcOperation, *, signer: PrivateKey = OPERATOR) -> PlcOperation:
    return parse_operation(signed({"type": "plc_tombstone", "prev": cid_text(prev)}, signer))


def legacy_genesis(*, signer: PrivateKey = SIGNING) -> PlcOperation:
    content = {
        "type": "create",
        "signingKey": did_key(SIGNING),
        "recoveryKey": did_key(RECOVERY),
        "handle": "alice.test",
        "service": "pds.test",
        "prev": None,
    }
    return parse_operation(signed(content, signer))


def did_of(genesis: PlcOperation) -> str:
    return did_of_genesis(genesis)
