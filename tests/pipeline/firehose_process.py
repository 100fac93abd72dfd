"""A consumer in a process of its own, to be killed: `python -m tests.pipeline.firehose_process URL RELAY PLC HOME`."""

import asyncio
import sys
from pathlib import Path

from zeppelin_pipeline.firehose.consumer import BatchLimits, ConsumerSettings
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.lake.store import Lake


def main(url: str, relay: str, plc: str, home: str) -> None:
    settings = FirehoseSettings(
        postgres_url=url,
        lake=Lake(str(Path(home) / "lake")),
        relay=relay,
        plc_url=plc,
        clients=ClientSettings(allow_private=True),
        verifiers=1,
        consumer=ConsumerSettings(
            batch=BatchLimits(events=20, seconds=0.05), stream=StreamSettings(allow_private=True)
        ),
    )
    assert asyncio.run(follow(settings, asyncio.Event(), patience_seconds=30.0))


if __name__ == "__main__":
    main(*sys.argv[1:])
