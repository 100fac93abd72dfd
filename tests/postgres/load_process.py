"""Loads a made-up shard, to be killed at it: `python -m tests.postgres.load_process URL NUMBER REV`. No tests here."""

import sys

import psycopg

from tests.fakes.batches import FakeShard, random_shard, tid
from zeppelin_pipeline.warehouse.load import load_shard

OWNERS = 20
BATCH_ROWS = 40


def numbered_shard(number: int, rev: int = 1) -> FakeShard:
    """One of the shards that are loaded; no two have a repository in common, all name the same accounts.

    At another rev all repositories of the shard have that rev, and a part of their records is another.
    """
    owners = range(number * OWNERS, number * OWNERS + OWNERS)
    fake = random_shard(number + 1000 * rev, f"host.test~{number:05d}", owners=owners, records=1500)
    for row in fake.rows["repo"]:
        row["rev"] = tid(rev)
    return fake


def main() -> None:
    """Says `ready` on a line of its own when the load begins."""
    url, number, rev = sys.argv[1:]
    batches = numbered_shard(int(number), int(rev)).batches(rev, batch_rows=BATCH_ROWS)
    with psycopg.connect(url) as connection:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        load_shard(connection, batches)


if __name__ == "__main__":
    main()
