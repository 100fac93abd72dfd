"""How often the warehouse is looked at for who asks whether it can be read."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest

from zeppelin_api.db import Database
from zeppelin_api.errors import ApiError, unavailable
from zeppelin_api.hydration.health import Pulse


@dataclass
class FakeDatabase:
    """Counts its sessions; `is_away` while it gives none."""

    is_away: bool = False
    sessions: int = 0
    now: float = 0.0

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["FakeDatabase"]:
        self.sessions += 1
        if self.is_away:
            raise unavailable("away")
        yield self

    async def rows(self, *_: Any) -> list[Any]:
        return []


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


@pytest.fixture
def pulse(database: FakeDatabase) -> Pulse:
    return Pulse(cast("Database", database), lambda: database.now)


async def test_a_warehouse_that_could_be_read_is_looked_at_once_a_second(pulse: Pulse, database: FakeDatabase):
    for now in (0.0, 0.5, 0.99, 1.0, 1.5):
        database.now = now
        await pulse.feel()

    assert database.sessions == 2


async def test_a_warehouse_that_is_away_is_told_within_a_second_and_looked_at_each_time(
    pulse: Pulse, database: FakeDatabase
):
    await pulse.feel()
    database.is_away, database.now = True, 1.0

    for _ in range(3):
        with pytest.raises(ApiError):
            await pulse.feel()
    database.is_away = False
    await pulse.feel()

    assert database.sessions == 5
