"""Follows all labelers, to be killed at it: `python -m tests.pipeline.label_process URL`. No tests here."""

import asyncio
import sys

from tests.pipeline.labelers import quick_settings
from zeppelin_pipeline.labels.follower import FollowLimits
from zeppelin_pipeline.labels.service import follow_labelers


async def follow(url: str) -> None:
    """Says `ready` on a line of its own before it begins; never ends by itself. Small batches, to be killed between."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    limits = FollowLimits(frames=3, labels_per_second=1e9, bytes_per_second=1e9)
    await follow_labelers(quick_settings(url, limits), asyncio.Event())


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1]))
