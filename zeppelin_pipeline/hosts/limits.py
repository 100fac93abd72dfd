"""How politely one host is asked: requests in flight, its rate-limit headers, and how long we stay away.

Each host has a limiter of its own, so that waiting for one holds up no other.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

#: A header that asks for a longer rest is clamped: a wrong clock or a hostile host would park us for ever.
LONGEST_PARK_SECONDS: Final = 600.0
#: Four times the hosts of the network.
MOST_LIMITERS: Final = 10_000
#: A 429 without any word of how long.
_DEFAULT_PARK_SECONDS: Final = 5.0
#: `ratelimit-reset` is seconds from now by the IETF's draft, and seconds since the epoch in the reference PDS.
_EPOCH_THRESHOLD_SECONDS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a transient failure is tried again: exponential back-off with full jitter, bounded.

    Attributes:
        attempts: tries in all, the first included.
        base_seconds: upper bound of the first delay; each next one is doubled.
        cap_seconds: upper bound of every delay.
        rate_limited_attempts: tries in all that may end in `rate-limited`; those say nothing about the request.
    """

    attempts: int = 4
    base_seconds: float = 0.5
    cap_seconds: float = 30.0
    rate_limited_attempts: int = 10

    def delay_seconds(self, failures: int, *, chance: Callable[[], float] = random.random) -> float:
        """How long to wait after that many failures (from 1): between half of the bound and the bound."""
        bound = min(self.cap_seconds, self.base_seconds * 2 ** min(failures - 1, 30))
        return bound * (0.5 + chance() / 2)


class HostLimiter:
    """Requests in flight to one host, and the waits that it asked for.

    The host's own count of what is left (`ratelimit-remaining`) is lowered by what is in flight, as those may not be
    counted in it yet; when nothing is left, the next request waits for the reset.
    """

    def __init__(
        self,
        max_in_flight: int = 50,
        *,
        longest_park_seconds: float = LONGEST_PARK_SECONDS,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._slots = asyncio.Semaphore(max_in_flight)
        self._longest_park_seconds = longest_park_seconds
        self._wall_clock = wall_clock
        self._in_flight = 0
        self._left: int | None = None  # requests that the host still grants; None when it has not said
        self._reset_at = 0.0  # monotonic; when `_left` is void
        self._parked_until = 0.0  # monotonic
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Waits until a request may be sent, and holds its place while it is in flight."""
        async with self._slots:
            await self._wait_until_open()
            self._in_flight += 1
            if self._left is not None:
                self._left -= 1
            try:
                yield
            finally:
                self._in_flight -= 1
                self._wake()

    def observe(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Takes note of an answer; to be called inside its slot.

        Returns:
            The seconds that the host asked us to stay away (clamped), null when it did not ask.
        """
        remaining = _whole_number(headers.get("ratelimit-remaining"))
        reset_seconds = self._seconds_until_reset(headers)
        if remaining is not None and reset_seconds is not None:
            self._left = remaining - (self._in_flight - 1)
            self._reset_at = time.monotonic() + reset_seconds
        asked_seconds = self._retry_after(headers)
        if status == 429 and asked_seconds is None:
            asked_seconds = reset_seconds if reset_seconds is not None else _DEFAULT_PARK_SECONDS
        if status in {429, 503} and asked_seconds is not None:
            self.park(asked_seconds)
        self._wake()
        return asked_seconds

    def park(self, seconds: float) -> None:
        """Sends nothing for that long, clamped; a longer rest that was asked for before stays."""
        self._parked_until = max(self._parked_until, time.monotonic() + self._clamp(seconds))

    @property
    def parked_seconds(self) -> float:
        """For how long nothing will be sent; 0 when the host is open."""
        now = time.monotonic()
        wait = max(self._parked_until - now, 0.0)
        if self._left is not None and self._left <= 0:
            wait = max(wait, self._reset_at - now)
        return wait

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked of the host, and it may be asked at once."""
        return self._in_flight == 0 and self.parked_seconds == 0

    async def _wait_until_open(self) -> None:
        while (wait_seconds := self.parked_seconds) > 0:
            self._changed.clear()
            try:
                # An answer to what is in flight may tell that more is left than was feared.
                await asyncio.wait_for(self._changed.wait(), wait_seconds)
            except TimeoutError:
                continue
        if self._left is not None and time.monotonic() >= self._reset_at:
            self._left = None

    def _wake(self) -> None:
        self._changed.set()

    def _seconds_until_reset(self, headers: Mapping[str, str]) -> float | None:
        reset = _whole_number(headers.get("ratelimit-reset"))
        if reset is None:
            return None
        return self._clamp(reset - self._wall_clock() if reset > _EPOCH_THRESHOLD_SECONDS else reset)

    def _retry_after(self, headers: Mapping[str, str]) -> float | None:
        text = headers.get("retry-after")
        if text is None:
            return None
        if (seconds := _whole_number(text)) is not None:
            return self._clamp(seconds)
        try:
            return self._clamp(parsedate_to_datetime(text).timestamp() - self._wall_clock())
        except (ValueError, OverflowError):
            return None

    def _clamp(self, seconds: float) -> float:
        return min(max(seconds, 0.0), self._longest_park_seconds)


class HostLimiters:
    """The limiters of all hosts that a process asks, by URL, whoever asks and over whatever connections.

    Anybody can make more hosts: past the bound those are forgotten that wait for nothing.
    """

    def __init__(self, max_in_flight: int) -> None:
        """Sets the requests at once to each host."""
        self._max_in_flight = max_in_flight
        self._known: dict[str, HostLimiter] = {}

    def of(self, url: str) -> HostLimiter:
        """A host's limiter, made at its first use."""
        if url not in self._known and self.count >= MOST_LIMITERS:
            self._known = {key: limiter for key, limiter in self._known.items() if not limiter.is_idle}
        return self._known.setdefault(url, HostLimiter(self._max_in_flight))

    @property
    def count(self) -> int:
        """How many are remembered."""
        return len(self._known)


def _whole_number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        return None
    return int(text)
