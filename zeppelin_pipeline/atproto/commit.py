"""The signed commit at the root of a repository: read, written, signed, verified.

Specification: Repository, "Commit Objects".
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from zeppelin_pipeline.atproto.cbor_pieces import BYTES, header, link, text
from zeppelin_pipeline.atproto.cid import CID_BYTES, DAG_CBOR_PREFIX
from zeppelin_pipeline.atproto.crypto import SIGNATURE_BYTES, PrivateKey, PublicKey
from zeppelin_pipeline.atproto.dag_cbor import decode
from zeppelin_pipeline.atproto.syntax import is_did, is_tid
from zeppelin_pipeline.errors import InvalidDataError

#: A rev further ahead of our clock than this is refused (the sync specification's bound).
MAX_REV_AHEAD_MICROS: Final = 5 * 60 * 1_000_000
_VERSION = 3
_FIELDS = frozenset(("did", "rev", "data", "prev", "sig", "version"))


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of version 3.

    Attributes:
        did: the account whose repository it is.
        rev: a TID that rises with every commit.
        data: the CID of the tree's root.
        prev: the CID of the commit before; null in nearly all.
        sig: 64 bytes over the commit without this field.
        version: always 3.
    """

    did: str
    rev: str
    data: bytes
    prev: bytes | None
    sig: bytes
    version: Literal[3] = 3


def decode_commit(block: bytes | memoryview) -> Commit:
    """Read a commit's block.

    Raises:
        InvalidDataError: a reason of `dag_cbor.decode`, `commit-shape` (fields missing, unknown or of a wrong type),
            `commit-version`, `commit-did`, or `commit-rev`.
    """
    decoded = decode(block)
    if not isinstance(decoded, dict):
        raise InvalidDataError("commit-shape", "not a map")
    value = cast("dict[str, Any]", decoded)
    if value.keys() != _FIELDS:
        raise InvalidDataError("commit-shape", f"the fields {', '.join(value)}"[:200])
    if type(value["version"]) is not int or value["version"] != _VERSION:
        raise InvalidDataError("commit-version", repr(value["version"])[:100])
    did, rev, sig, data, prev = (value[field] for field in ("did", "rev", "sig", "data", "prev"))
    if not isinstance(did, str) or not is_did(did):
        raise InvalidDataError("commit-did", repr(did)[:100])
    if not isinstance(rev, str) or not is_tid(rev):
        raise InvalidDataError("commit-rev", repr(rev)[:100])
    has_links = _is_link(data) and (prev is None or _is_link(prev))
    if not has_links or not isinstance(sig, bytes) or len(sig) != SIGNATURE_BYTES:
        raise InvalidDataError("commit-shape", "data, prev and sig are a link, a link or null, and 64 bytes")
    return Commit(did=did, rev=rev, data=data, prev=prev, sig=sig)


def encode_commit(commit: Commit) -> bytes:
    """Return the commit's block."""
    signature = b"\x63sig" + header(BYTES, len(commit.sig)) + commit.sig
    return _write(b"\xa6", commit.did, commit.rev, signature, commit.data, commit.prev)


def unsigned_bytes(commit: Commit) -> bytes:
    """Return the bytes that the signature covers: the commit without `sig`."""
    return _write(b"\xa5", commit.did, commit.rev, b"", commit.data, commit.prev)


def sign_commit(did: str, rev: str, data: bytes, key: PrivateKey, prev: bytes | None = None) -> Commit:
    """Make a signed commit."""
    return Commit(did, rev, data, prev, key.sign(_write(b"\xa5", did, rev, b"", data, prev)))


def verify_commit(commit: Commit, key: PublicKey) -> bool:
    """Whether the key signed the commit."""
    return key.verify(commit.sig, unsigned_bytes(commit))


def _write(head: bytes, did: str, rev: str, signature: bytes, data: bytes, prev: bytes | None) -> bytes:
    """A commit's map by hand, since its form is always the same; `signature` is an entry of it, or nothing."""
    did_entry, rev_entry = b"\x63did" + text(did), b"\x63rev" + text(rev)
    links = b"\x64data" + link(data) + b"\x64prev" + link(prev)
    return head + did_entry + rev_entry + signature + links + b"\x67version\x03"


def _is_link(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == CID_BYTES and value.startswith(DAG_CBOR_PREFIX)
