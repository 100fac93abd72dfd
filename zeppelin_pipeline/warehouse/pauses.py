"""How long what failed waits in a queue of the warehouse until it is tried again. No I/O."""

from datetime import timedelta
from typing import Final

#: Doubling as often makes thirty seconds a year: no pause is longer, and none overflows.
_MOST_DOUBLINGS: Final = 20


def pause_after(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """The pause after a failure: the first one doubled for each of the failures before it, within a bound."""
    return min(first * 2 ** min(failures, _MOST_DOUBLINGS), longest)
