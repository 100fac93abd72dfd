"""A process that does one stage of one shard, to be killed: `stage_process STAGE HOME PLC SHARD`.

No tests here. The stages are the pipeline's own, with limits so small that a few repositories fill many files.
"""

import asyncio
import sys

from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.extract_output import Limits
from zeppelin_pipeline.repos.fetch import fetch_shard
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.pack import PackSettings


async def fetch(lake: Lake, plc_url: str, shard: str) -> None:
    settings = FetchSettings(pack=PackSettings(part_bytes=100_000, part_seconds=0.1, row_group_bytes=20_000))
    async with HostClients(ClientSettings(allow_private=True, max_in_flight=4)) as clients:

        async def get_url(url: str, max_bytes: int) -> bytes:
            return await clients.get_url(url, max_bytes=max_bytes)

        clients.keep(plc_url)
        await fetch_shard(lake, shard, clients, DidResolver(get_url, plc_url), settings)


def main() -> None:
    stage, home, plc_url, shard = sys.argv[1:]
    lake = Lake(f"{home}/lake")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if stage == "fetch":
        asyncio.run(fetch(lake, plc_url, shard))
    else:
        extract_shard(lake, shard, limits=Limits(pending_records=256, group_rows=256))


if __name__ == "__main__":
    main()
