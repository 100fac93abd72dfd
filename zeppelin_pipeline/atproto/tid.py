"""TIDs: 64-bit timestamp identifiers in base32-sortable, and a clock that makes them. Specification: TID.

The top bit is 0, then 53 bits of microseconds since the epoch, then 10 bits of clock identifier. The texts sort as
the integers do.
"""

import time
from collections.abc import Callable

from zeppelin_pipeline.atproto.syntax import is_tid
from zeppelin_pipeline.errors import InvalidDataError

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TO_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
_CLOCK_BITS = 10
_MAX_TID = 2**63 - 1


def tid_to_int(text: str) -> int:
    """Return the TID's integer, 0 to 2**63 - 1.

    Raises:
        InvalidDataError: `tid-syntax`.
    """
    if not is_tid(text):
        raise InvalidDataError("tid-syntax", text[:100])
    return int(text.translate(_TO_DIGITS), 32)


def int_to_tid(value: int) -> str:
    """Return the 13 characters of a TID's integer.

    Raises:
        ValueError: the integer is negative or needs more than 63 bits.
    """
    if not 0 <= value <= _MAX_TID:
        raise ValueError(f"{value} does not fit the 63 bits of a TID")
    pairs = _PAIRS
    return (
        ALPHABET[value >> 60]
        + pairs[value >> 50 & 1023]
        + pairs[value >> 40 & 1023]
        + pairs[value >> 30 & 1023]
        + pairs[value >> 20 & 1023]
        + pairs[value >> 10 & 1023]
        + pairs[value & 1023]
    )


def tid_micros(value: int) -> int:
    """Return the microseconds since the epoch in a TID's integer."""
    return value >> _CLOCK_BITS


class TidClock:
    """Makes TIDs that only rise, also when the wall clock stands still or goes back. Not safe for several threads.

    Args:
        clock_id: 0 to 1023; two clocks of one repository need different ones.
        now_micros: gives microseconds since the epoch; the wall clock when left out.
    """

    def __init__(self, clock_id: int, now_micros: Callable[[], int] | None = None) -> None:
        if not 0 <= clock_id < 1 << _CLOCK_BITS:
            raise ValueError(f"clock identifier {clock_id} is not within 0 to 1023")
        self._clock_id = clock_id
        self._now_micros = now_micros or _wall_clock_micros
        self._last_micros = -1

    def next(self) -> str:
        """Return a TID above all that this clock gave before."""
        self._last_micros = max(self._now_micros(), self._last_micros + 1)
        return int_to_tid(self._last_micros << _CLOCK_BITS | self._clock_id)


def _wall_clock_micros() -> int:
    return time.time_ns() // 1000
