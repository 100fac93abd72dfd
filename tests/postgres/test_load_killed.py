"""Loads that are killed at random points and tried again: the tables of loads that nothing disturbed."""

import os
import random
import subprocess
import sys
import time
from uuid import uuid4

import psycopg
import pytest

from tests.postgres.load_process import BATCH_ROWS, numbered_shard
from tests.postgres.warehouse_contents import TABLES, contents, rows
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.load import load_shard

#: More by `ZEPPELIN_TEST_KILLS=20 pytest tests/postgres/test_load_killed.py`.
KILLS = int(os.environ.get("ZEPPELIN_TEST_KILLS", "5"))
#: Committed ahead of the rows, as they say nothing but what their texts' keys are.
DICTIONARIES = {"actor", "record_key", "collection"}


def kill_while_loading(url: str, number: int, rev: int, delay_seconds: float) -> int:
    """Starts a load in a process of its own and kills it; gives its exit code."""
    command = [sys.executable, "-m", "tests.postgres.load_process", url, str(number), str(rev)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay_seconds)
        process.kill()
        return process.wait()


def held(connection: psycopg.Connection) -> dict[str, list[str]]:
    """What is held beside the dictionaries, once no other session is in a transaction."""
    others = """SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
    while connection.execute(others).fetchone() != (0,):
        connection.rollback()
        time.sleep(0.01)
    found = {table: rows(connection, table) for table in TABLES if table not in DICTIONARIES}
    connection.commit()
    return found


@pytest.mark.timeout(240 + 30 * KILLS)
@pytest.mark.parametrize("held_before", [False, True], ids=["loads", "merges"])
def test_loads_killed_at_random_points_and_retried_give_the_tables_of_undisturbed_ones(
    held_before: bool, postgres_url: str, postgres_server: EmbeddedPostgres, migrated_template: str
):
    name = f"undisturbed_{uuid4().hex}"
    url = postgres_server.create_database(name, template=migrated_template)
    killed_in_the_midst = 0
    try:
        with psycopg.connect(postgres_url) as connection, psycopg.connect(url) as undisturbed:
            dice = random.Random(20261123)
            for number in range(KILLS):
                if held_before:
                    for each in (connection, undisturbed):
                        load_shard(each, numbered_shard(number).batches("1", batch_rows=BATCH_ROWS))
                shard = numbered_shard(number, 2).batches("2", batch_rows=BATCH_ROWS)
                before = held(connection)
                seconds = load_shard(undisturbed, shard).seconds
                exit_code = kill_while_loading(postgres_url, number, 2, dice.random() * seconds)
                after = held(connection)
                is_in = after != before
                assert not is_in or after == held(undisturbed)
                assert load_shard(connection, shard).is_skipped == is_in
                killed_in_the_midst += exit_code == -9 and not is_in
            assert contents(connection) == contents(undisturbed)
    finally:
        postgres_server.drop_database(name)
    assert killed_in_the_midst > 0
