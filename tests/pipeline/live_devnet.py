"""A backfilled devnet whose firehose is followed within a test. No tests here."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.backfill import Backfill
from zeppelin_pipeline.devnet.background import DevnetHandle
from zeppelin_pipeline.firehose.consumer import BatchLimits, ConsumerSettings
from zeppelin_pipeline.firehose.rates import Rates
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.lake.store import Lake


def firehose_settings(network: DevnetHandle, postgres_url: str, home: Path) -> FirehoseSettings:
    """Settings for the devnet's relay, with small batches."""
    quick = RetryPolicy(attempts=2, base_seconds=0.05, cap_seconds=0.2)
    return FirehoseSettings(
        postgres_url=postgres_url,
        lake=Lake(str(home / "lake")),
        relay=network.relay_url,
        plc_url=network.plc_url,
        clients=ClientSettings(allow_private=True, retry=quick),
        verifiers=1,
        consumer=ConsumerSettings(
            batch=BatchLimits(events=100, seconds=0.05), stream=StreamSettings(allow_private=True, retry=quick)
        ),
    )


async def follow_to(
    settings: FirehoseSettings, seq: int, *, also: Callable[[], bool] = lambda: True, longest_seconds: float = 90.0
) -> list[Rates]:
    """Follows the relay until everything up to a number is durable, and more is so; gives what was reported."""
    until = asyncio.Event()
    reports: list[Rates] = []
    following = asyncio.create_task(follow(settings, until, reports.append))
    try:
        async with asyncio.timeout(longest_seconds):
            while not following.done() and ((cursor_of(settings) or 0) < seq or not also()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        until.set()
        assert await following, "nobody else follows"
    return reports


def cursor_of(settings: FirehoseSettings) -> int | None:
    """The stored cursor."""
    with psycopg.connect(settings.postgres_url) as connection:
        row = connection.execute("SELECT seq FROM stream WHERE relay = %s", (settings.relay,)).fetchone()
    return row[0] if row else None


def set_cursor_to_now(backfill: Backfill, network: DevnetHandle) -> None:
    """Has the stream begin at the relay's present, which is what the backfill has taken in."""
    with psycopg.connect(backfill.settings.require_postgres_url()) as connection:
        connection.execute(
            "INSERT INTO stream (relay, endpoint, epoch, seq) VALUES (%s, 'com.atproto.sync.subscribeRepos', 1, %s)",
            (network.relay_url, network.last_seq()),
        )
