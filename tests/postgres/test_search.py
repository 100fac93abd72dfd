"""Search tables are kept by loads, merges, live commits and deletions once they were made, and cost nothing before."""

import random

import psycopg

from tests.fakes.live_commits import apply_each
from tests.postgres.histories import random_history, seen_at, snapshot
from tests.postgres.warehouse_contents import count, rows
from zeppelin_pipeline.aggregates.counts import recompute
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges
from zeppelin_pipeline.warehouse.key_ranges import range_names
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.search_tables import SEARCH_TABLES
from zeppelin_pipeline.warehouse.standing import delete_accounts


def make(connection: psycopg.Connection, key_ranges: list[str] | None = None) -> int:
    """Make the search tables of some ranges: how many rows were off."""
    names = range_names() if key_ranges is None else key_ranges
    drifted = sum(recompute(connection, table, name).drifted for table in SEARCH_TABLES for name in names)
    connection.commit()
    return drifted


def marked(connection: psycopg.Connection) -> list[str]:
    """Ranges of the search tables that are to be made anew."""
    found = {dirty.key_range for dirty in list_dirty_ranges(connection) if dirty.aggregate in SEARCH_TABLES}
    connection.commit()
    return sorted(found)


def remake(connection: psycopg.Connection) -> list[list[str]]:
    """What the search tables are when they are made from nothing."""
    for table in SEARCH_TABLES:
        connection.execute(f"TRUNCATE {table}")  # pyright: ignore[reportArgumentType] - names of our own tables
    make(connection)
    return [rows(connection, table) for table in SEARCH_TABLES]


def test_loads_mark_what_they_touch_only_once_search_is_wanted(connection: psycopg.Connection):
    dice = random.Random(7)
    histories = [random_history(dice, number, accounts=4, commits=8) for number in range(4)]
    load_shard(connection, snapshot("a~00000", "one", [(history, 5) for history in histories]))
    assert marked(connection) == []
    assert count(connection, "post_search") == 0
    connection.commit()

    make(connection)
    assert count(connection, "post_search") == count(connection, "post") > 0
    connection.commit()
    load_shard(connection, snapshot("a~00000", "two", [(history, history.last) for history in histories]))
    assert marked(connection)
    make(connection, marked(connection))
    assert (marked(connection), make(connection)) == ([], 0)
    assert count(connection, "post_search") == count(connection, "post")


def test_live_commits_merges_and_deletions_keep_what_is_found(connection: psycopg.Connection):
    keys = BatchKeys(read_key_space(connection))
    connection.commit()
    make(connection)
    dice = random.Random(7)
    histories = [random_history(dice, number, accounts=4, commits=8) for number in range(4)]

    for first in range(0, 8, 2):
        commits = [moment.commit for history in histories for moment in history.moments[first : first + 2]]
        apply_each(connection, keys, commits)
    live = [rows(connection, table) for table in SEARCH_TABLES]
    assert count(connection, "post_search") > 0
    connection.commit()
    assert live == remake(connection)

    load_shard(connection, snapshot("a~00000", "one", [(history, history.last) for history in histories]))
    make(connection, marked(connection))
    merged = rows(connection, "post_search")
    connection.commit()
    assert merged == remake(connection)[0]

    with connection.transaction():
        delete_accounts(connection, read_key_space(connection), [history.owner for history in histories], seen_at(9999))
    assert (count(connection, "post"), count(connection, "post_search")) == (0, 0)


def search_indexes(connection: psycopg.Connection) -> dict[str, str]:
    found = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'post_search'").fetchall()
    connection.commit()
    return dict(found)


def test_indexes_of_posts_are_built_as_the_schema_has_them_once_all_ranges_are_made(connection: psycopg.Connection):
    declared = search_indexes(connection)
    load_shard(
        connection, snapshot("a~00000", "one", [(random_history(random.Random(7), 1, accounts=4, commits=8), 5)])
    )

    make(connection, range_names()[1:])
    assert set(declared) - set(search_indexes(connection)) == {"post_search_latest", "post_search_terms"}
    make(connection, range_names()[:1])
    assert search_indexes(connection) == declared
    make(connection, range_names()[:1])
    assert search_indexes(connection) == declared
