"""`zeppelin verify`: what is whole is proven, and what differs is named, record by record."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from rich.console import Console

from tests.backfill import QUIET, Backfill
from tests.pipeline.tables import fix_hash_key, network_settings
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.stack.verify import AuditRequest, run_verify
from zeppelin_pipeline.warehouse.keys import tid_of_key

NETWORK = DevnetConfig(repos=12, hosts=1, seed=23, mean_records=40)
EVERYTHING = AuditRequest((), is_all=True, sample=0, shard=None)


@pytest.fixture
def loaded(postgres_url: str, tmp_path: Path) -> Iterator[tuple[DevnetHandle, Lake]]:
    with running_devnet(NETWORK) as network, dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        fix_hash_key(postgres_url)
        settings = network_settings(tmp_path, postgres_url, network.relay_url, network.plc_url)
        backfill = Backfill(settings, instance)
        backfill.plan()
        backfill.take_in(backfill.shards)
        yield network, Lake(settings.lake_url)


def said(url: str, lake: Lake, request: AuditRequest) -> tuple[bool, str]:
    console = Console(file=StringIO(), width=300)
    is_whole = run_verify(url, lake, request, console)
    assert isinstance(console.file, StringIO)
    return is_whole, console.file.getvalue()


def damage(url: str) -> tuple[str, dict[str, str]]:
    """Takes a record of an account away, adds one, and changes one; gives the account and the keys by what was done."""
    with psycopg.connect(url) as connection:
        query = (
            "SELECT a.did, p.actor_id FROM post p JOIN actor a ON a.id = p.actor_id GROUP BY 1, 2 HAVING count(*) > 2"
        )
        did, actor = connection.execute(query).fetchall()[0]
        rkeys = connection.execute("SELECT rkey FROM post WHERE actor_id = %s ORDER BY rkey", (actor,)).fetchall()
        (gone,), (copied,), (changed,) = rkeys[:3]
        connection.execute("DELETE FROM post WHERE (actor_id, rkey) = (%s, %s)", (actor, gone))
        connection.execute(
            "UPDATE post SET raw = raw || '\\x00'::bytea WHERE (actor_id, rkey) = (%s, %s)", (actor, changed)
        )
        connection.execute(
            "INSERT INTO post SELECT (t).* FROM (SELECT jsonb_populate_record(p, %s::jsonb) AS t FROM post p"
            " WHERE (actor_id, rkey) = (%s, %s)) AS copy",
            ('{"rkey": 1}', actor, copied),
        )
    return did, {"missing": tid_of_key(gone), "changed": tid_of_key(changed), "extra": tid_of_key(1)}


def test_a_whole_warehouse_is_proven(loaded: tuple[DevnetHandle, Lake], postgres_url: str) -> None:
    network, lake = loaded
    is_whole, text = said(postgres_url, lake, EVERYTHING)
    assert is_whole
    active = sum(account.is_active for account in network.accounts())
    assert f"{active} repositories with" in text
    assert "records a second" in text


def test_records_that_are_missing_extra_or_changed_are_named(
    loaded: tuple[DevnetHandle, Lake], postgres_url: str
) -> None:
    _, lake = loaded
    did, keys = damage(postgres_url)
    is_whole, text = said(postgres_url, lake, EVERYTHING)
    assert not is_whole
    for what, rkey in keys.items():
        assert f"{what}: at://{did}/app.bsky.feed.post/{rkey}\n" in text
    assert text.count("at://") == len(keys)
    assert not said(postgres_url, lake, AuditRequest((did,), is_all=False, sample=0, shard=None))[0]


def test_without_a_car_of_the_rev_it_is_said_that_nothing_can_be_named(
    loaded: tuple[DevnetHandle, Lake], postgres_url: str
) -> None:
    _, lake = loaded
    did, _ = damage(postgres_url)
    for path in lake.list("packs"):
        lake.delete(path)
    is_whole, text = said(postgres_url, lake, AuditRequest((did,), is_all=False, sample=0, shard=None))
    assert not is_whole
    assert "cannot be named" in text
