"""A table of events sorted into what is applied: commits, accounts, identities, and what was refused. No I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.atproto.datetimes import time_of
from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.firehose import events
from zeppelin_pipeline.records.live import LiveCommit
from zeppelin_pipeline.warehouse.standing import ACTIVE, DELETED, Standing

#: An event as old as this may be a replay of what something later has undone; its own time tells then.
_REPLAY_MICROS: Final = 5 * 60 * 1_000_000
#: What is wrong with the message itself, for which fetching its repository would be no remedy.
_NOT_OF_THE_REPOSITORY: Final = frozenset({"message-did", "rev-in-future"})
_HIDDEN: Final = "deactivated"
#: Why an account is not active, as the lexicon knows it; others are as good as deactivated, and so is one that is said
#: to be deleted, until its host has been asked.
_STATUSES: Final = frozenset({"takendown", "suspended", _HIDDEN})


#: The fields of an event but its operations.
_FIELDS: Final = tuple(name for name in events.EVENTS.names if name != "operations")
#: Changes of records, and the new bytes of each.
_Operations: TypeAlias = tuple[list[Change], list[bytes | None]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Events of a batch that broke one rule; the last of them is told."""

    reason: str
    events: int
    did: str | None
    seq: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Neighbouring events of a stream, sorted.

    Attributes:
        commits: in their order, `#sync` among them.
        accounts: the last word of each account; of one that is said to be deleted, that it is hidden.
        deleted: accounts that are said to be deleted, which their hosts are to be asked about.
        identities: accounts that may have changed who they are.
        refusals: by reason.
        suspect: accounts of whose commits one was refused, with the reason: their repositories are fetched.
        seq: the highest number; null when no event has one.
        first_seq: the lowest.
        events: how many there are.
        event_at: when the last one was emitted, as it claims.
        kinds: how many of each kind.
    """

    commits: list[LiveCommit]
    accounts: list[Standing]
    deleted: list[str]
    identities: list[str]
    refusals: list[Refusal]
    suspect: dict[str, str]
    seq: int | None
    first_seq: int | None
    events: int
    event_at: datetime | None
    kinds: Counter[str] = field(default_factory=Counter[str])

    @property
    def is_broken(self) -> bool:
        """Whether a frame could not be read at all: what came over its connection is not to be trusted."""
        return any(refusal.reason.startswith("frame-") for refusal in self.refusals)


def sort_events(table: pa.Table, now_micros: int) -> EventBatch:
    """Sort a table of events.

    Args:
        table: of the schema EVENTS; what is still unsigned is refused.
        now_micros: our clock, when the events were received.
    """
    sorting = _Sorting(now_micros)
    columns = (table[name].to_pylist() for name in _FIELDS)
    for row, operations in zip(zip(*columns, strict=True), _operations(table), strict=True):
        sorting.add(dict(zip(_FIELDS, row, strict=True)), operations)
    bounds = pc.min_max(table["seq"]).as_py() if table.num_rows else {"min": None, "max": None}
    micros = pc.max(table["micros"]).as_py() if table.num_rows else None
    return EventBatch(
        commits=sorting.commits,
        accounts=list(sorting.accounts.values()),
        deleted=sorted(sorting.deleted),
        identities=sorted(sorting.identities),
        refusals=[Refusal(reason, sorting.refused[reason], *last) for reason, last in sorting.last_refused.items()],
        suspect=sorting.suspect,
        seq=bounds["max"],
        first_seq=bounds["min"],
        events=table.num_rows,
        event_at=None if micros is None else time_of(micros),
        kinds=sorting.kinds,
    )


class _Sorting:
    def __init__(self, now_micros: int) -> None:
        self._now_micros = now_micros
        self.commits: list[LiveCommit] = []
        self.accounts: dict[str, Standing] = {}
        self.deleted: set[str] = set()
        self.identities: set[str] = set()
        self.suspect: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.last_refused: dict[str, tuple[str | None, int | None, str | None]] = {}
        self.kinds: Counter[str] = Counter()

    def add(self, row: dict[str, Any], operations: _Operations) -> None:
        kind = row["kind"]
        self.kinds[kind] += 1
        match kind:
            case events.COMMIT | events.SYNC:
                if row["is_unsigned"]:
                    self._refuse(row, "signature-invalid")
                else:
                    self.commits.append(_commit(row, operations, self._now_micros))
            case events.ACCOUNT:
                self._add_account(row)
            case events.IDENTITY:
                self.identities.add(row["did"])
            case events.REJECTED:
                self._refuse(row, row["reason"])
            case _:
                pass  # of a kind that is not known: counted

    def _add_account(self, row: dict[str, Any]) -> None:
        did, micros = row["did"], row["micros"]
        is_old = micros is not None and micros < self._now_micros - _REPLAY_MICROS
        status = ACTIVE if row["is_active"] else (row["status"] if row["status"] in _STATUSES else _HIDDEN)
        (self.deleted.add if not row["is_active"] and row["status"] == DELETED else self.deleted.discard)(did)
        seen_at = time_of(micros) if is_old and micros is not None else time_of(self._now_micros)
        self.accounts[did] = Standing(did, status, seen_at)

    def _refuse(self, row: dict[str, Any], reason: str) -> None:
        self.refused[reason] += 1
        self.last_refused[reason] = row["did"], row["seq"], row["detail"]
        if row["did"] is not None and reason not in _NOT_OF_THE_REPOSITORY:
            self.suspect[row["did"]] = reason


def _operations(table: pa.Table) -> Iterator[_Operations]:
    """The operations of each event: nested values are made from their columns, at a third of what rows would cost."""
    for chunk in table["operations"].chunks:
        whole = chunk.flatten()
        fields = [column.to_pylist() for column in whole.flatten()]
        changes = [Change(key, prev, cid) for key, prev, cid in zip(*fields[:3], strict=True)]
        at = 0
        for size in pc.fill_null(pc.list_value_length(chunk), 0).to_pylist():
            yield changes[at : at + size], fields[3][at : at + size]
            at += size


def _commit(row: dict[str, Any], operations: _Operations, now_micros: int) -> LiveCommit:
    changes, records = operations
    return LiveCommit(
        did=row["did"],
        rev=row["rev"],
        since=row["since"],
        prev_data=row["prev_data"],
        data=row["data"],
        block=row["commit"],
        changes=changes,
        records=records,
        seen_at_micros=now_micros,
        is_sync=row["kind"] == events.SYNC,
    )


def unsigned_rows(table: pa.Table) -> dict[int, tuple[str, bytes]]:
    """Of the events whose signature is still to be checked, by position: the account and the signed commit."""
    places = pc.indices_nonzero(table["is_unsigned"]).to_pylist()
    part = table.select(["did", "commit"]).take(places).to_pylist() if places else []
    return {place: (row["did"], row["commit"]) for place, row in zip(places, part, strict=True)}


def with_signed(table: pa.Table, places: Iterable[int]) -> pa.Table:
    """The table with the events at these positions as signed."""
    flags = table["is_unsigned"].to_pylist()
    for place in places:
        flags[place] = False
    index = table.schema.get_field_index("is_unsigned")
    return table.set_column(index, table.schema.field(index), pa.array(flags, pa.bool_()))
