"""How far our own clock is behind the network's, by what many accounts' events say. No I/O.

A rev may be five minutes ahead of us. Where our clock is behind by more, every commit of the network would be refused,
for no fault of its own; so the rule is asked with the network's time as far as that can be believed. Whoever sends most
of the accounts that were seen last gains an hour by lying, in revs of their own repositories.
"""

from collections import OrderedDict
from statistics import median
from typing import Final

import pyarrow as pa

#: Accounts whose last word is remembered; below the lesser number nothing is concluded.
_MOST_WITNESSES: Final = 256
_LEAST_WITNESSES: Final = 20
#: Further behind than this nothing is allowed for.
MOST_BEHIND_MICROS: Final = 3_600 * 1_000_000
#: A person is told from here on; less is within what revs are allowed.
NOTABLE_SECONDS: Final = 60.0


class NetworkClock:
    """Compares the times of events with those at which they came."""

    def __init__(self) -> None:
        self._ahead_micros: OrderedDict[str, int] = OrderedDict()

    def observe(self, events: pa.Table, now_micros: int) -> None:
        """Takes in events.

        Args:
            events: of the schema EVENTS, refused ones too, in their order.
            now_micros: our clock, when they came.
        """
        last = events.select(["did", "micros"]).slice(max(events.num_rows - _MOST_WITNESSES, 0))
        for did, micros in zip(*(column.to_pylist() for column in last.columns), strict=True):
            if did is not None and micros is not None:
                self._ahead_micros.pop(did, None)
                self._ahead_micros[did] = micros - now_micros
        while len(self._ahead_micros) > _MOST_WITNESSES:
            self._ahead_micros.popitem(last=False)

    @property
    def behind_micros(self) -> int:
        """How far half of the accounts are ahead of us; 0 when they are not, as events are older than their coming."""
        if len(self._ahead_micros) < _LEAST_WITNESSES:
            return 0
        return max(int(median(self._ahead_micros.values())), 0)

    @property
    def allowed_micros(self) -> int:
        """What is allowed for."""
        return min(self.behind_micros, MOST_BEHIND_MICROS)
