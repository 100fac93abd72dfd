"""What two warehouses must have in common when they took in the same network at different times. No tests here."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from zeppelin_pipeline.settings import Settings

#: The same secret for every warehouse of the tests, so that their keys can be compared.
HASH_KEY = bytes(range(32))

#: Moments of our own doing, and what follows from them.
#: (`indexed_at` is the time of the fetch for records that claim to be of the future.)
OUR_TIMES = {"fetched_at", "told_at", "resolved_at", "loaded_at", "indexed_at", "fingerprint", "detail"}

TABLES = (
    *("actor", "record_key", "collection", "repo", "identity", "quarantine", "load"),
    *("profile", "post", "like", "repost", "follow", "block", "list", "list_item", "list_block", "starter_pack"),
    *(
        "verification",
        "generator",
        "labeler",
        "threadgate",
        "postgate",
        "record",
        "post_counts",
        "actor_counts",
        "record_counts",
        "violation",
    ),
)


def comparable_tables(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, sorted, without what depends on when it was taken in."""
    with psycopg.connect(url) as connection:
        return {table: _rows(connection, table) for table in TABLES}


def fix_hash_key(url: str) -> None:
    """Gives a fresh warehouse the tests' secret."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE warehouse SET hash_key = %s", (HASH_KEY,))


def _rows(connection: psycopg.Connection, table: str) -> list[tuple[Any, ...]]:
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        if name not in OUR_TIMES
    ]
    chosen = sql.SQL(", ").join(map(sql.Identifier, columns))
    rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(table)))
    return sorted(rows.fetchall(), key=repr)


def network_settings(home: Path, postgres_url: str, relay_url: str, plc_url: str) -> Settings:
    """Settings for a backfill from a network on loopback, with shards small enough that there are several."""
    return Settings.load(
        home=home,
        postgres_url=postgres_url,
        relay_urls=(relay_url,),
        plc_url=plc_url,
        allow_private_hosts=True,
        tail_limit=12,
        shard_size=16,
        fetch_attempts=2,
    )
