"""What belongs to one owner of names, and the breaker that leaves alone what has failed several times."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from zeppelin_pipeline.errors import UpstreamError

_FAILURES: Final = 5
_SECONDS: Final = 30.0


def registrable_domain(name: str) -> str:
    """The last two labels: whose limits a name counts for. Below `co.uk` that is too coarse, and merely slower."""
    return ".".join(name.split(".")[-2:])


class Breaker:
    """Leaves somebody alone for half a minute after several failures in a row; then one is let through to see.

    Attributes:
        failures: in a row.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._closed_until = 0.0

    def lets_through(self) -> bool:
        """Whether to ask now; who was let through after failures keeps the others away until it is back."""
        if time.monotonic() < self._closed_until:
            return False
        if self.failures >= _FAILURES:
            self._closed_until = time.monotonic() + _SECONDS
        return True

    def note_failure(self) -> None:
        """It did not answer."""
        self.failures += 1
        if self.failures >= _FAILURES:
            self._closed_until = time.monotonic() + _SECONDS

    def note_success(self) -> None:
        """It answered, whatever it said."""
        self.failures, self._closed_until = 0, 0.0

    @contextmanager
    def watching(self) -> Generator[None]:
        """Notes how what is asked within it ends. Who is waited for no longer has failed, whoever lost patience."""
        try:
            yield
        except UpstreamError as error:
            (self.note_failure if error.is_transient else self.note_success)()
            raise
        except (TimeoutError, asyncio.CancelledError):
            self.note_failure()
            raise
        self.note_success()
