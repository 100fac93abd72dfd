"""Verified events as Arrow tables, one row an event: what verifiers give, the spool keeps, and batches are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.commit import Commit
from zeppelin_pipeline.firehose.messages import (
    AccountMessage,
    CommitMessage,
    IdentityMessage,
    Message,
    SyncMessage,
    micros_of,
)
from zeppelin_pipeline.firehose.verification import ProvenHead
from zeppelin_pipeline.records.commits import OPERATION

COMMIT: Final = "commit"
SYNC: Final = "sync"
IDENTITY: Final = "identity"
ACCOUNT: Final = "account"
#: A message of a known kind that breaks a rule.
REJECTED: Final = "rejected"
#: A kind of message that is not known; skipped.
UNKNOWN: Final = "unknown"

_CID: Final = pa.binary(CID_BYTES)
#: `rev` and `since` are integers of TIDs, `micros` the message's time; `is_unsigned` says that the signature is still
#: to be checked, as the key was not known or did not fit; `seq` and `did` are null where a rejected message has none.
EVENTS: Final = pa.schema([
    pa.field("seq", pa.int64()),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("did", pa.string()),
    pa.field("micros", pa.int64()),
    pa.field("rev", pa.int64()),
    pa.field("since", pa.int64()),
    pa.field("prev_data", _CID),
    pa.field("data", _CID),
    pa.field("commit", pa.binary()),
    pa.field("is_unsigned", pa.bool_(), nullable=False),
    pa.field("is_active", pa.bool_()),
    pa.field("status", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
    pa.field("operations", pa.list_(OPERATION)),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one frame.

    Attributes:
        seq: its number; null where it has none that can be read.
        kind: one of this module's.
        message: what it says; null for what could not be read.
        head: what a commit or `#sync` proves.
        is_unsigned: its signature is still to be checked.
        did: whose, where no message was read but that could be told.
        reason: why it is rejected.
        detail: for a person.
    """

    seq: int | None
    kind: str
    message: Message | None = None
    head: ProvenHead | None = None
    is_unsigned: bool = False
    did: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class _Columns:
    """The columns of events while they are collected."""

    rows: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    operations: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    offsets: list[int] = field(default_factory=lambda: [0])


def table_of(verdicts: Sequence[Verdict]) -> pa.Table:
    """The table of verdicts, in their order."""
    columns = _Columns()
    for verdict in verdicts:
        _add(columns, verdict)
    names = EVENTS.names[:-1]
    values = list(zip(*columns.rows, strict=True)) if columns.rows else [()] * len(names)
    arrays = [pa.array(value, EVENTS.field(name).type) for name, value in zip(names, values, strict=True)]
    parts = list(zip(*columns.operations, strict=True)) if columns.operations else [()] * OPERATION.num_fields
    children = [pa.array(part, each.type) for part, each in zip(parts, OPERATION, strict=True)]
    operations = pa.StructArray.from_arrays(children, fields=list(OPERATION))
    arrays.append(pa.ListArray.from_arrays(pa.array(columns.offsets, pa.int32()), operations))
    return pa.Table.from_arrays(arrays, schema=EVENTS)


def _add(columns: _Columns, verdict: Verdict) -> None:
    message, head = verdict.message, verdict.head
    did = message.did if message else verdict.did
    micros = micros_of(message.time) if message else None
    rev = since = prev_data = data = block = is_active = status = None
    if head is not None:
        commit: Commit = head.commit
        prev_data, data, block = head.prev_data, commit.data, head.block
    match message:
        case CommitMessage():
            rev, since = message.rev, message.since
            if head is not None:
                for change, record in zip(message.changes, head.records, strict=True):
                    columns.operations.append((change.key, change.old_cid, change.new_cid, record))
        case SyncMessage():
            rev = message.rev
        case AccountMessage():
            is_active, status = message.is_active, message.status
        case IdentityMessage() | None:
            pass
    columns.offsets.append(len(columns.operations))
    columns.rows.append((
        verdict.seq, verdict.kind, did, micros, rev, since, prev_data, data, block,
        verdict.is_unsigned, is_active, status, verdict.reason, verdict.detail,
    ))  # fmt: skip
