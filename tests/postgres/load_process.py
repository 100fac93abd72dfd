"""Loads one made-up shard, to be killed at it: `python -m tests.postgres.load_process URL NUMBER`. No tests here."""

import sys

import psycopg

from tests.fakes.batches import FakeShard, random_shard
from zeppelin_pipeline.warehouse.load import load_shard

OWNERS = 20
BATCH_ROWS = 40


def numbered_shard(number: int) -> FakeShard:
    """One of the shards that are loaded; no two have a repository in common, all name the same accounts."""
    owners = range(number * OWNERS, number * OWNERS + OWNERS)
    return random_shard(number, f"host.test~{number:05d}", owners=owners, records=1500)


def main() -> None:
    """Says `ready` on a line of its own when the load begins."""
    url, number = sys.argv[1:]
    batches = numbered_shard(int(number)).batches(batch_rows=BATCH_ROWS)
    with psycopg.connect(url) as connection:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        load_shard(connection, batches)


if __name__ == "__main__":
    main()
