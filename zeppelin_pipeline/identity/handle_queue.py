"""Handles verified both ways, those that are due first: what domains say is compared with what documents claim.

A handle that is new is due at once, a verified one again after some weeks, one that is wrong or whose domain is silent
ever later. Two accounts that claim one handle: the one that the domain names has it, the other loses it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.identity.handles import BUSY, Claim, HandleResolver
from zeppelin_pipeline.warehouse.pauses import pause_after
from zeppelin_pipeline.warehouse.queries import load_queries

State: TypeAlias = Literal["pending", "verified", "invalid"]

_BATCH: Final = 2_000
_FIRST_RETRY: Final = timedelta(minutes=5)
_FIRST_RECHECK: Final = timedelta(hours=1)
_LONGEST_RETRY: Final = timedelta(days=1)
_LONGEST_RECHECK: Final = timedelta(days=30)
#: A domain that was silent so often, over two days, holds no handle any more.
_MOST_SILENT: Final = 10
#: Re-verification is spread over a fifth of its interval, so that what was verified in one run is not due in one.
_SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Bounds of a pass over the queue.

    Attributes:
        seconds: after so long no batch is begun.
        most: handles in the pass.
        reverify: how long a verified handle is believed.
    """

    seconds: float = 600.0
    most: int = 1_000_000
    reverify: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class DueHandle:
    """A handle to be looked at: of whom, and what is known of it."""

    actor_id: int
    did: str
    handle: str
    state: State
    failures: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a handle after a look at it."""

    due: DueHandle
    state: State
    verified_at: datetime | None
    check_at: datetime
    failures: int


@dataclass(slots=True)
class HandlesResult:
    """What a pass over the queue did; `states` and `due` count all handles afterwards, by state.

    `deferred` ones were not asked for: the hosts of their domains have as many before them as they take.
    """

    checked: int = 0
    deferred: int = 0
    verdicts: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[str] = field(default_factory=Counter[str])
    dispossessed: int = 0
    states: dict[str, int] = field(default_factory=dict[str, int])
    due: int = 0
    seconds: float = 0.0


async def verify_due(
    connection: Connection[TupleRow],
    resolver: HandleResolver,
    settings: QueueSettings | None = None,
    *,
    report: Callable[[int], None] = lambda _checked: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> HandlesResult:
    """Looks at the handles that are due, a batch at a time; a batch's verdicts are committed together.

    Args:
        connection: in autocommit.
        resolver: asks domains.
        settings: bounds.
        report: called with the handles looked at so far, after each batch.
        now: the clock that verdicts are stamped with.
    """
    bounds = settings or QueueSettings()
    started = time.monotonic()
    result = HandlesResult()
    while result.checked + result.deferred < bounds.most and time.monotonic() - started < bounds.seconds:
        parameters = {"now": now(), "limit": min(_BATCH, bounds.most - result.checked - result.deferred)}
        due = [DueHandle(*row) for row in connection.execute(load_queries()["due_handles"], parameters)]
        if not due:
            break
        claims = await asyncio.gather(*(resolver.resolve(each.handle) for each in due))
        verdicts = [judge(each, claim, now(), bounds.reverify) for each, claim in zip(due, claims, strict=True)]
        result.dispossessed += _store(connection, verdicts, now())
        deferred = sum(claim.reason == BUSY for claim in claims)
        result.deferred += deferred
        result.checked += len(due) - deferred
        result.verdicts.update(
            verdict.state for verdict, claim in zip(verdicts, claims, strict=True) if claim.reason != BUSY
        )
        result.reasons.update(claim.reason for claim in claims if claim.reason)
        report(result.checked)
    for state, handles, still_due in connection.execute(load_queries()["count_handles"], {"now": now()}):
        result.states[state] = handles
        result.due += still_due
    result.seconds = time.monotonic() - started
    return result


def judge(due: DueHandle, claim: Claim, at: datetime, reverify: timedelta) -> Verdict:
    """What a domain's answer makes of a handle. Silence changes nothing until it has lasted for days.

    One whose host has no time now is due when it will have: others are looked at meanwhile.
    """
    if claim.reason == BUSY:
        return Verdict(due, due.state, None, at + timedelta(seconds=claim.wait_seconds), due.failures)
    if claim.did == due.did:
        spread = reverify * (_SPREAD * random.random())  # noqa: S311 - no secret
        return Verdict(due, "verified", at, at + reverify - spread, 0)
    failures = min(due.failures + 1, 1000)
    if not claim.is_transient:
        return Verdict(due, "invalid", None, at + pause_after(failures - 1, _FIRST_RECHECK, _LONGEST_RECHECK), failures)
    state: State = "invalid" if failures >= _MOST_SILENT else due.state
    longest = _LONGEST_RECHECK if state == "invalid" else _LONGEST_RETRY
    return Verdict(due, state, None, at + pause_after(failures - 1, _FIRST_RETRY, longest), failures)


def _store(connection: Connection[TupleRow], verdicts: Sequence[Verdict], at: datetime) -> int:
    """Commits verdicts; gives how many accounts lost their handle to another."""
    verified = [verdict for verdict in verdicts if verdict.state == "verified"]
    queries = load_queries()
    with connection.transaction():
        connection.execute(queries["store_handle_verdicts"], _columns(verdicts))
        lost = connection.execute(
            queries["dispossess_handles"],
            {
                "actors": [each.due.actor_id for each in verified if each.verified_at],
                "handles": [each.due.handle for each in verified if each.verified_at],
                "now": at,
            },
        )
        return lost.rowcount


def _columns(verdicts: Sequence[Verdict]) -> dict[str, list[Any]]:
    return {
        "actors": [verdict.due.actor_id for verdict in verdicts],
        "handles": [verdict.due.handle for verdict in verdicts],
        "states": [verdict.state for verdict in verdicts],
        "verified_at": [verdict.verified_at for verdict in verdicts],
        "check_at": [verdict.check_at for verdict in verdicts],
        "failures": [verdict.failures for verdict in verdicts],
    }


def has_due(connection: Connection[TupleRow]) -> bool:
    """Whether a handle or an account is to be looked at now."""
    row = connection.execute(load_queries()["has_due"]).fetchone()
    return row is not None and bool(row[0])
