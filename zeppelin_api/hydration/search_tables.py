"""Whether the operator has made the tables that searches read; how they are read is not here."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zeppelin_api.db import Session
from zeppelin_api.errors import ApiError

#: For so long a table that was made is taken to be there still.
_REMEMBERED_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class _ReadyRow:
    is_ready: bool


@dataclass(slots=True)
class SearchTables:
    """The search tables that are made; one that is not is looked for at every call."""

    clock: Callable[[], float] = time.monotonic
    _seen_at: dict[str, float] = field(default_factory=dict[str, float])

    async def require(self, session: Session, table: str) -> None:
        """Go on only when a table is made; at most one query.

        Raises:
            ApiError: MethodNotImplemented, it is not: an empty answer would say that nothing is there.
        """
        seen_at = self._seen_at.get(table)
        if seen_at is not None and self.clock() - seen_at < _REMEMBERED_SECONDS:
            return
        (row,) = await session.rows(_ReadyRow, "is_search_ready", aggregate=table)
        if not row.is_ready:
            raise ApiError("MethodNotImplemented", f"The index {table} is not made here", 501)
        self._seen_at[table] = self.clock()
