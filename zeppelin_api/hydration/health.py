"""Whether the warehouse can be read."""

from dataclasses import dataclass

from zeppelin_api.db import Session


@dataclass(frozen=True, slots=True)
class _Ping:
    has_repositories: bool


async def ping(session: Session) -> None:
    """Read something.

    Raises:
        ApiError: or an error of the driver, it cannot be read.
    """
    await session.rows(_Ping, "ping")
