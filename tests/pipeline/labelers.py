"""Labelers of a warehouse, followed within a test. No tests here."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.factories import WarehouseFactory
from zeppelin_pipeline.devnet.labeler import DevnetLabeler
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.labels.follower import FollowLimits
from zeppelin_pipeline.labels.service import LabelReport, LabelSettings, follow_labelers

SUBJECT = "did:plc:subject"
DOWN = "http://127.0.0.1:9"


def make_labeler(warehouse: WarehouseFactory) -> DevnetLabeler:
    """A labeler in the warehouse, whose document names its key and, so far, a service that is down."""
    labeler = DevnetLabeler(warehouse.labeler().did)
    warehouse.connection.execute(
        "UPDATE identity SET labeler = %s, label_key = %s WHERE actor_id = %s",
        (DOWN, labeler.key.public_key.to_multibase(), warehouse.keys.actor_id(labeler.did)),
    )
    return labeler


def tell_url(warehouse: WarehouseFactory, labeler: DevnetLabeler) -> None:
    """Have the labeler's document name where it is now."""
    warehouse.connection.execute(
        "UPDATE identity SET labeler = %s WHERE actor_id = %s",
        (labeler.url, warehouse.keys.actor_id(labeler.did)),
    )


def quick_settings(url: str, limits: FollowLimits | None = None, **fields: Any) -> LabelSettings:
    """The settings of following on loopback, impatient; any of them may be given."""
    quick = RetryPolicy(attempts=1, base_seconds=0.05, cap_seconds=0.2)
    clients = ClientSettings(allow_private=True, retry=quick)
    return replace(LabelSettings(url, DOWN, clients, limits or FollowLimits(), look_seconds=0.1), **fields)


async def follow_until(
    url: str, is_there: Callable[[], bool], limits: FollowLimits | None = None, **fields: Any
) -> LabelReport:
    """Follows all labelers until something is so; gives the last report."""
    settings = quick_settings(url, limits, **fields)
    until, reports = asyncio.Event(), list[LabelReport]()
    following = asyncio.create_task(follow_labelers(settings, until, reports.append))
    async with asyncio.timeout(60):
        while not is_there() and not following.done():  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.05)
    until.set()
    await following
    return reports[-1]
