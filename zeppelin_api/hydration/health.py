"""Whether the warehouse can be read."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zeppelin_api.db import Database

#: For so long what could be read is taken to be readable still: nobody needs to know sooner, and monitors may be many.
_REMEMBERED_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Ping:
    has_repositories: bool


class Pulse:
    """Looks at the warehouse once a second, however often it is asked, and each time while it cannot be read."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._felt_until = -1.0

    async def feel(self) -> None:
        """Read something, unless that was possible within the last second.

        Raises:
            ApiError: or an error of the driver, it cannot be read.
        """
        now = self._clock()
        if now < self._felt_until:
            return
        async with self._database.session() as session:
            await session.rows(_Ping, "ping")
        self._felt_until = now + _REMEMBERED_SECONDS
