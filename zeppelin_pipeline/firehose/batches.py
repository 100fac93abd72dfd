"""A table of events sorted into what is applied: commits, accounts, identities, and what was refused. No I/O."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.atproto.datetimes import time_of
from zeppelin_pipeline.firehose import events
from zeppelin_pipeline.records.commits import COMMITS
from zeppelin_pipeline.warehouse.standing import ACTIVE, DELETED, Standing

#: An event as old as this may be a replay of what something later has undone; its own time tells then.
_REPLAY_MICROS: Final = 5 * 60 * 1_000_000
#: A message of nobody's: fetching a repository would be no remedy.
_NOT_OF_A_REPOSITORY: Final = "message-did"
_HIDDEN: Final = "deactivated"
#: Why an account is not active, as the lexicon knows it; others are as good as deactivated, and so is one that is said
#: to be deleted, until its host has been asked.
_STATUSES: Final = frozenset({"takendown", "suspended", _HIDDEN})

#: Kinds that say where a repository is.
_HEADS: Final = pa.array([events.COMMIT, events.SYNC])
#: What is looked at of any other event.
_FIELDS: Final = ("seq", "kind", "did", "micros", "is_unsigned", "is_active", "status", "reason", "detail")


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
        commits: of the schema COMMITS, in their order, `#sync` among them.
        accounts: the last word of each account; of one that is said to be deleted, that it is hidden.
        deleted: accounts that are said to be deleted, which their hosts are to be asked about.
        identities: accounts that may have changed who they are.
        refusals: by reason.
        suspect: accounts of whose commits one was refused, with the reason: their repositories are fetched.
        seq: the highest number; null when no event has one.
        first_seq: the lowest.
        events: how many there are.
        event_at: when the last one was emitted, as it claims.
        emitted_micros: when each was, of those that say so.
        kinds: how many of each kind.
    """

    commits: pa.RecordBatch
    accounts: list[Standing]
    deleted: list[str]
    identities: list[str]
    refusals: list[Refusal]
    suspect: dict[str, str]
    seq: int | None
    first_seq: int | None
    events: int
    event_at: datetime | None
    emitted_micros: "npt.NDArray[np.int64]"
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
    is_head = pc.is_in(table["kind"], value_set=_HEADS)
    is_commit = pc.and_(is_head, pc.invert(table["is_unsigned"]))
    for row in table.select(_FIELDS).filter(pc.invert(is_commit)).to_pylist():
        sorting.add(row)
    bounds = pc.min_max(table["seq"]).as_py() if table.num_rows else {"min": None, "max": None}
    micros = pc.max(table["micros"]).as_py() if table.num_rows else None
    kinds = table["kind"].value_counts()
    return EventBatch(
        commits=_commits(table.filter(is_commit), now_micros),
        accounts=list(sorting.accounts.values()),
        deleted=sorted(sorting.deleted),
        identities=sorted(sorting.identities),
        refusals=[Refusal(reason, sorting.refused[reason], *last) for reason, last in sorting.last_refused.items()],
        suspect=sorting.suspect,
        seq=bounds["max"],
        first_seq=bounds["min"],
        events=table.num_rows,
        event_at=None if micros is None else time_of(micros),
        emitted_micros=table["micros"].drop_null().to_numpy(),
        kinds=Counter({count["values"]: count["counts"] for count in kinds.to_pylist()}),
    )


def _commits(table: pa.Table, now_micros: int) -> pa.RecordBatch:
    """The events that are signed commits or `#sync`s, as what is applied."""
    made = {
        "is_sync": pc.equal(table["kind"], events.SYNC).combine_chunks(),
        "seen_micros": pa.repeat(pa.scalar(now_micros, pa.int64()), table.num_rows),
    }
    arrays = [made[name] if name in made else table[name].combine_chunks() for name in COMMITS.names]
    return pa.RecordBatch.from_arrays(arrays, schema=COMMITS)


class _Sorting:
    """All but the commits that are taken, event by event: they are few."""

    def __init__(self, now_micros: int) -> None:
        self._now_micros = now_micros
        self.accounts: dict[str, Standing] = {}
        self.deleted: set[str] = set()
        self.identities: set[str] = set()
        self.suspect: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.last_refused: dict[str, tuple[str | None, int | None, str | None]] = {}

    def add(self, row: dict[str, Any]) -> None:
        match row["kind"]:
            case events.COMMIT | events.SYNC:
                self._refuse(row, "signature-invalid")
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
        if row["did"] is not None and reason != _NOT_OF_A_REPOSITORY:
            self.suspect[row["did"]] = reason
