"""Writes into a warehouse that is being read: `python -m bench.api_load_writer URL LAKE RELAY`, until it is ended.

It merges shards, one after the other, and recounts what they touched; beside that it follows a relay. It fails when the
database goes away, and is started again by `bench.api_load`: what it had not finished is done again then.
"""

import argparse
import asyncio
import time
from typing import Final

import psycopg

from zeppelin_pipeline.aggregates.counts import recompute
from zeppelin_pipeline.firehose.consumer import ConsumerSettings
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.load import load_shard_batches
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges

HOST: Final = "bench"
PAUSE_SECONDS: Final = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("lake")
    parser.add_argument("relay")
    parser.add_argument("--shards", type=int, default=1)
    asyncio.run(_write(parser.parse_args()))


async def _write(given: argparse.Namespace) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(_load, given.url, Lake(given.lake), given.shards))
        group.create_task(_follow(given))


def _load(url: str, lake: Lake, shards: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for number in range(shards):
            done = load_shard_batches(connection, lake, layout.host_shard(HOST, number))
            print(f"shard {number}: {done.copied:,} rows", flush=True)
            for dirty in list_dirty_ranges(connection):
                recompute(connection, dirty.aggregate, dirty.key_range)
            time.sleep(PAUSE_SECONDS)


async def _follow(given: argparse.Namespace) -> None:
    settings = FirehoseSettings(
        postgres_url=given.url,
        lake=Lake(given.lake),
        relay=given.relay,
        plc_url="http://127.0.0.1:1",
        clients=ClientSettings(allow_private=True),
        verifiers=1,
        consumer=ConsumerSettings(stream=StreamSettings(allow_private=True)),
    )
    await follow(settings, asyncio.Event())


if __name__ == "__main__":
    main()
