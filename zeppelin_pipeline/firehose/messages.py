"""The messages of `com.atproto.sync.subscribeRepos`: a frame's body read into values, its form checked, nothing proven.

Deprecated fields (`tooBig`, `rebase`, `blobs`, `prev`) are ignored, as Sync 1.1 says; unknown ones too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from zeppelin_pipeline.atproto.cid import CID_BYTES, DAG_CBOR_PREFIX
from zeppelin_pipeline.atproto.datetimes import micros_of as micros_since_epoch
from zeppelin_pipeline.atproto.mst import Change, check_keys
from zeppelin_pipeline.atproto.syntax import is_did, is_tid
from zeppelin_pipeline.atproto.tid import tid_to_int
from zeppelin_pipeline.errors import InvalidDataError

MAX_COMMIT_BLOCKS_BYTES: Final = 2_000_000
MAX_SYNC_BLOCKS_BYTES: Final = 10_000
MAX_OPERATIONS: Final = 200
_LONGEST_STATUS: Final = 64
_MAX_SEQ: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """What a `#commit` says.

    Attributes:
        seq: its number in the relay's stream.
        did: whose repository.
        time: when the relay or host saw it, as text; for measuring lag alone.
        rev: as an integer.
        since: the rev before it; null for a repository's first.
        commit: the CID of the commit.
        prev_data: the root of the tree before it; null for a repository's first.
        blocks: the CAR.
        changes: what it does to records, each key once.
    """

    seq: int
    did: str
    time: str
    rev: int
    since: int | None
    commit: bytes
    prev_data: bytes | None
    blocks: bytes
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SyncMessage:
    """What a `#sync` says: where a repository is, without what led there."""

    seq: int
    did: str
    time: str
    rev: int
    blocks: bytes


@dataclass(frozen=True, slots=True)
class IdentityMessage:
    """What an `#identity` says: look again. The handle that it may name is not looked at."""

    seq: int
    did: str
    time: str


@dataclass(frozen=True, slots=True)
class AccountMessage:
    """What an `#account` says: whether it is shown, and a word why not."""

    seq: int
    did: str
    time: str
    is_active: bool
    status: str | None


Message: TypeAlias = CommitMessage | SyncMessage | IdentityMessage | AccountMessage


def read_message(kind: str, body: dict[str, Any]) -> Message | None:
    """Read the body of a message of a kind, such as `#commit`; null for a kind that is not known.

    Raises:
        InvalidDataError: `message-shape` (a field is missing or of a wrong type), `message-did`, `message-rev`,
            `message-size`, `message-operations` (too many, or with fields that contradict each other), `mst-key`.
    """
    match kind:
        case "#commit":
            return _read_commit(body)
        case "#sync":
            blocks = _bytes(body, "blocks", MAX_SYNC_BLOCKS_BYTES)
            return SyncMessage(read_seq(body), _did(body, "did"), _time(body), _rev(body, "rev"), blocks)
        case "#identity":
            return IdentityMessage(read_seq(body), _did(body, "did"), _time(body))
        case "#account":
            return _read_account(body)
        case _:
            return None


def read_seq(body: dict[str, Any]) -> int:
    """The number of a message in its stream.

    Raises:
        InvalidDataError: `message-shape`.
    """
    seq = body.get("seq")
    if type(seq) is not int or not 0 <= seq <= _MAX_SEQ:
        raise InvalidDataError("message-shape", f"seq {seq!r}"[:200])
    return seq


def micros_of(text: str) -> int | None:
    """Microseconds since the epoch of a message's time; null when it is none, as nothing depends on it.

    Brought to UTC, a time may lie outside of the years that there are here and in the warehouse.
    """
    try:
        moment = datetime.fromisoformat(text)
        return micros_since_epoch(moment.astimezone(UTC)) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _read_commit(body: dict[str, Any]) -> CommitMessage:
    operations = body.get("ops")
    if not isinstance(operations, list):
        raise InvalidDataError("message-shape", "ops is not a list")
    if len(cast("list[Any]", operations)) > MAX_OPERATIONS:
        raise InvalidDataError("message-operations", f"{len(cast('list[Any]', operations))} of them")
    changes = tuple(_read_operation(operation) for operation in cast("list[Any]", operations))
    if changes:
        check_keys(sorted(change.key for change in changes))
    commit = _link(body, "commit")
    if commit is None:
        raise InvalidDataError("message-shape", "commit is null")
    since = body.get("since")
    return CommitMessage(
        seq=read_seq(body),
        did=_did(body, "repo"),
        time=_time(body),
        rev=_rev(body, "rev"),
        since=None if since is None else _rev(body, "since"),
        commit=commit,
        prev_data=_link(body, "prevData"),
        blocks=_bytes(body, "blocks", MAX_COMMIT_BLOCKS_BYTES),
        changes=changes,
    )


def _read_operation(operation: Any) -> Change:
    if not isinstance(operation, dict):
        raise InvalidDataError("message-shape", "an operation is not a map")
    fields = cast("dict[str, Any]", operation)
    action, path = fields.get("action"), fields.get("path")
    cid, prev = _link(fields, "cid"), _link(fields, "prev")
    if not isinstance(path, str):
        raise InvalidDataError("message-shape", "path is not a text")
    is_consistent = {
        "create": cid is not None and prev is None,
        "update": cid is not None and prev is not None,
        "delete": cid is None and prev is not None,
    }.get(str(action), False)
    if not is_consistent:
        has = f"{'a' if cid else 'no'} cid and {'a' if prev else 'no'} prev"
        raise InvalidDataError("message-operations", f"{action!r} of {path!r} with {has}"[:200])
    return Change(path.encode(), prev, cid)


def _read_account(body: dict[str, Any]) -> AccountMessage:
    is_active, status = body.get("active"), body.get("status")
    if not isinstance(is_active, bool) or not (status is None or isinstance(status, str)):
        raise InvalidDataError("message-shape", f"active {is_active!r}, status {status!r}"[:200])
    text = None if status is None else status.replace("\0", "")[:_LONGEST_STATUS]
    return AccountMessage(read_seq(body), _did(body, "did"), _time(body), is_active, text)


def _did(body: dict[str, Any], field: str) -> str:
    did = body.get(field)
    if not isinstance(did, str) or not is_did(did):
        raise InvalidDataError("message-did", f"{field} {did!r}"[:200])
    return did


def _rev(body: dict[str, Any], field: str) -> int:
    rev = body.get(field)
    if not isinstance(rev, str) or not is_tid(rev):
        raise InvalidDataError("message-rev", f"{field} {rev!r}"[:200])
    return tid_to_int(rev)


def _time(body: dict[str, Any]) -> str:
    time = body.get("time")
    if not isinstance(time, str):
        raise InvalidDataError("message-shape", f"time {time!r}"[:200])
    return time


def _link(fields: dict[str, Any], field: str) -> bytes | None:
    cid = fields.get(field)
    if cid is None:
        return None
    if not isinstance(cid, bytes) or len(cid) != CID_BYTES or not cid.startswith(DAG_CBOR_PREFIX):
        raise InvalidDataError("message-shape", f"{field} is not a link to DAG-CBOR")
    return cid


def _bytes(body: dict[str, Any], field: str, limit: int) -> bytes:
    value = body.get(field)
    if not isinstance(value, bytes):
        raise InvalidDataError("message-shape", f"{field} is not bytes")
    if len(value) > limit:
        raise InvalidDataError("message-size", f"{field} of {len(value)} bytes, more than {limit}")
    return value
