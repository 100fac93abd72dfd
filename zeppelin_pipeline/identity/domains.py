"""What belongs to one owner of names, and the breaker that leaves alone what has failed several times."""

import time
from typing import Final

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
