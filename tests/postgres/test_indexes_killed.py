"""Builds of indexes that are killed at random points and tried again: the indexes of a build that nothing disturbed."""

import os
import random
import subprocess
import sys
import time

import psycopg
import pytest
from psycopg import sql

from tests.fakes.batches import random_shard
from zeppelin_pipeline.warehouse.indexes import build_indexes, declared_indexes, has_all_indexes
from zeppelin_pipeline.warehouse.load import load_shard

#: How often; each costs a start of Python.
KILLS = int(os.environ.get("ZEPPELIN_TEST_KILLS", "3"))
DEFINITIONS = "SELECT indexname, indexdef, indisvalid FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass"


def kill_while_building(url: str, delay_seconds: float) -> int:
    """Starts a build in a process of its own and kills it; gives its exit code."""
    command = [sys.executable, "-m", "tests.postgres.index_process", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay_seconds)
        process.kill()
        return process.wait()


@pytest.mark.timeout(60 + 20 * KILLS)
def test_builds_killed_at_random_points_and_tried_again_give_the_indexes_of_an_undisturbed_one(postgres_url: str):
    dice = random.Random(20261123)
    declared = {index.name for index in declared_indexes()}
    killed_in_the_midst = 0
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        load_shard(connection, random_shard(1, records=6000).batches(batch_rows=2000))
        started = time.monotonic()
        build_indexes(connection)
        seconds = time.monotonic() - started
        undisturbed = sorted(connection.execute(DEFINITIONS).fetchall())
        for _ in range(KILLS):
            for name in declared:
                connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            exit_code = kill_while_building(postgres_url, dice.random() * seconds)
            if exit_code == -9 and not has_all_indexes(connection):
                killed_in_the_midst += 1
            else:
                seconds /= 4  # it was done before: builds are faster now than the first one was
            built = build_indexes(connection)
            assert {index.name for index in built} == declared
            assert sorted(connection.execute(DEFINITIONS).fetchall()) == undisturbed
    assert killed_in_the_midst > 0
