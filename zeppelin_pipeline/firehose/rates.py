"""Numbers of a running consumer: how far behind, how fast, what it spent its time on. For people and plots."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

#: How finely events' lags are told apart.
LAG_STEP_SECONDS: Final = 0.01
_STEP_MICROS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rates:
    """A consumer over the time since the last report.

    Attributes:
        cursor: everything up to this number is durable; null before the first event.
        lag_seconds: since the emission of the last event that was applied, so that it grows while none comes; null
            before the first.
        lags: of all events: how many were applied so many LAG_STEP_SECONDS after their emission.
        events_per_second: applied.
        events: applied, by kind.
        replayed: commits that were known already.
        refused: events, by reason.
        ahead: commits that do not follow on what is held.
        queued: frames that wait to be verified.
        connections: how often the relay was connected since the start.
        clock_behind_seconds: how far our clock is behind what events say.
        gaps: found.
        is_spooling: events wait in files for the indexes.
        verify_seconds: a batch's time in verification, the mean.
        apply_seconds: a batch's time in the warehouse, the mean.
        seconds: that this is about.
    """

    cursor: int | None
    lag_seconds: float | None
    lags: Mapping[int, int]
    events_per_second: float
    events: dict[str, int]
    replayed: int
    refused: dict[str, int]
    ahead: int
    queued: int
    connections: int
    clock_behind_seconds: float
    gaps: int
    is_spooling: bool
    verify_seconds: float
    apply_seconds: float
    seconds: float


@dataclass(slots=True)
class Meter:
    """Collects what a report tells, then begins anew."""

    clock: Callable[[], float] = time.monotonic
    cursor: int | None = None
    event_at: datetime | None = None
    lags: Counter[int] = field(default_factory=Counter[int])
    kinds: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    replayed: int = 0
    ahead: int = 0
    gaps: int = 0
    batches: int = 0
    verify_seconds: float = 0.0
    apply_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def report(self, *, queued: int, connections: int, is_spooling: bool, clock_behind_seconds: float = 0.0) -> Rates:
        """What was collected since the last report."""
        seconds = max(self.clock() - self.started, 1e-6)
        lag = None if self.event_at is None else max((datetime.now(UTC) - self.event_at).total_seconds(), 0.0)
        rates = Rates(
            cursor=self.cursor,
            lag_seconds=lag,
            lags=dict(self.lags),
            events_per_second=self.kinds.total() / seconds,
            events=dict(self.kinds),
            replayed=self.replayed,
            refused=dict(self.refused),
            ahead=self.ahead,
            queued=queued,
            connections=connections,
            clock_behind_seconds=clock_behind_seconds,
            gaps=self.gaps,
            is_spooling=is_spooling,
            verify_seconds=self.verify_seconds / max(self.batches, 1),
            apply_seconds=self.apply_seconds / max(self.batches, 1),
            seconds=seconds,
        )
        self.kinds, self.refused, self.lags = Counter(), Counter(), Counter()
        self.replayed = self.ahead = self.gaps = self.batches = 0
        self.verify_seconds = self.apply_seconds = 0.0
        self.started = self.clock()
        return rates

    def note_applied(self, event_at: datetime | None, emitted_micros: "npt.NDArray[np.int64]") -> None:
        """A batch is durable: when its last event was emitted, and when each was."""
        if event_at is not None:
            self.event_at = event_at
            now_micros = time.time_ns() // 1_000
            steps, events = np.unique(np.maximum(now_micros - emitted_micros, 0) // _STEP_MICROS, return_counts=True)
            self.lags.update(dict(zip(steps.tolist(), events.tolist(), strict=True)))


def lag_quantile(lags: Mapping[int, int], share: float) -> float | None:
    """The lag in seconds that this share of events did not exceed; None of no events."""
    wanted = share * sum(lags.values())
    for step in sorted(lags):
        wanted -= lags[step]
        if wanted <= 0:
            return (step + 1) * LAG_STEP_SECONDS
    return None
