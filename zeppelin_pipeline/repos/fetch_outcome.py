"""What became of one repository, and of a shard: outcomes counted, and the breaker that gives up on a sick host."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.repos.pack import ABSENT, FAILED, FETCHED, PackRow

#: A host's final word on an account; everything else that is no repository is a failure.
ABSENT_REASONS: Final = frozenset({"not-found", "takendown", "suspended", "deactivated"})
HOST_PARKED: Final = "host-parked"
#: Failures that tell of the host, not of the one repository; so do all 5xx.
_HOST_FAILURES: Final = frozenset({"connect", "timeout", "reset"})


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What a call came to.

    Attributes:
        shard: its key.
        repos: accounts of the manifest.
        settled_before: of these, fetched or absent before this call.
        fetched: repositories that this call stored whole.
        absent: accounts without a repository now, by reason.
        failed: repositories that could not be had, by reason; the next call tries them again.
        downloaded_bytes: of the CARs stored.
        parts: files added to the pack.
        seconds: that the call took.
    """

    shard: str
    repos: int
    settled_before: int
    fetched: int
    absent: dict[str, int]
    failed: dict[str, int]
    downloaded_bytes: int
    parts: int
    seconds: float

    @property
    def failed_repos(self) -> int:
        """Repositories that the next call has to try again."""
        return sum(self.failed.values())

    @property
    def failed_fraction(self) -> float:
        """Of the whole manifest; 0 for an empty one."""
        return self.failed_repos / self.repos if self.repos else 0.0

    @property
    def repos_per_second(self) -> float:
        """Repositories that this call settled or failed, a second."""
        return (self.fetched + sum(self.absent.values()) + self.failed_repos) / max(self.seconds, 1e-9)

    @property
    def bytes_per_second(self) -> float:
        """CAR bytes stored, a second."""
        return self.downloaded_bytes / max(self.seconds, 1e-9)


@dataclass(slots=True)
class OutcomeCounts:
    """Counts rows as they are stored."""

    fetched: int = 0
    downloaded_bytes: int = 0
    absent: Counter[str] = field(default_factory=Counter[str])
    failed: Counter[str] = field(default_factory=Counter[str])

    @property
    def done(self) -> int:
        """Rows counted."""
        return self.fetched + self.absent.total() + self.failed.total()

    def add(self, row: PackRow) -> None:
        """Counts a row by its state and reason."""
        self.downloaded_bytes += len(row.car or b"")
        if row.state == FETCHED:
            self.fetched += 1
        elif row.state == ABSENT:
            self.absent[row.reason or ""] += 1
        else:
            self.failed[row.reason or ""] += 1


class HostBreaker:
    """Gives up on a host for the rest of a run: after so many failures in a row, over at least so many seconds.

    Without the second condition a short break, met by fifty requests at once, would give up a sound host.
    """

    def __init__(self, failures: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._in_a_row = 0
        self._first_at = 0.0

    def check(self) -> None:
        """Raises UpstreamError `host-parked`, not transient, when the host is given up."""
        if self._in_a_row >= self._failures and self._clock() - self._first_at >= self._seconds:
            raise UpstreamError(HOST_PARKED, f"{self._in_a_row} failures in a row", is_transient=False)

    def succeed(self) -> None:
        """Notes an answer: the host lives."""
        self._in_a_row = 0

    def fail(self, reason: str) -> None:
        """Notes a failure; one that tells of the repository only is an answer."""
        if reason not in _HOST_FAILURES and not reason.startswith("http-5"):
            self.succeed()
            return
        if self._in_a_row == 0:
            self._first_at = self._clock()
        self._in_a_row += 1


def state_of(error: UpstreamError) -> tuple[str, str]:
    """The state and reason that a final error is stored with.

    An account that the PLC directory does not have any more is as absent as one that its host denies.
    """
    if error.reason == "did-gone":
        return ABSENT, "not-found"
    return (ABSENT if error.reason in ABSENT_REASONS else FAILED), error.reason
