"""Labelers followed: from 0, verified, merged with the cursor; one in trouble holds up no other."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from tests.api_client import running_api
from tests.backfill import QUIET, Backfill
from tests.factories import WarehouseFactory
from tests.pipeline.labelers import DOWN, SUBJECT, follow_until, make_labeler, tell_url
from tests.pipeline.tables import network_settings
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.labels import FollowLabelsConfig, follow_labels, labels
from zeppelin_pipeline.defs.partitions import PLC_WINDOWS
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.identity.windows import window_key
from zeppelin_pipeline.labels.follower import FollowLimits
from zeppelin_pipeline.warehouse.connection import connect


async def test_labelers_are_followed_and_those_in_trouble_hold_up_no_other(
    warehouse: WarehouseFactory, postgres_url: str
):
    good, hostile, flooding, down = (make_labeler(warehouse) for _ in range(4))
    wrong = PrivateKey.generate("k256")

    def labels() -> list[tuple[str, bool]]:
        return warehouse.connection.execute(
            "SELECT value, is_negated FROM label WHERE labeler = %s ORDER BY value",
            (warehouse.keys.actor_id(good.did),),
        ).fetchall()

    async with AsyncExitStack() as stack:
        for labeler in (good, hostile, flooding):
            await stack.enter_async_context(labeler.serving())
            tell_url(warehouse, labeler)
        hostile.publish([hostile.label(SUBJECT, "forged", key=wrong)])
        hostile.publish([hostile.label(SUBJECT, "early", cts="2999-01-01T00:00:00.000Z")])
        hostile.publish([good.label(SUBJECT, "not-mine")])
        for number in range(300):
            flooding.publish([flooding.label(SUBJECT, f"flood-{number}-{place}") for place in range(3)])
        good.publish([good.label(SUBJECT, "stays"), good.label(SUBJECT, "goes", cts="2024-01-01T00:00:00.000Z")])
        good.publish([good.label(SUBJECT, "goes", neg=True)])

        def is_there() -> bool:
            refused = warehouse.connection.execute("SELECT count(*) FROM label_rejected").fetchone()
            return len(labels()) == 2 and labels()[0] == ("goes", True) and refused == (3,)

        report = await follow_until(postgres_url, is_there, FollowLimits(labels_per_second=100.0, frames=20))

    assert labels() == [("goes", True), ("stays", False)]
    assert report.refused == {"label-signature": 1, "label-future": 1, "label-src": 1}
    cursors = dict(warehouse.connection.execute("SELECT relay, seq FROM stream").fetchall())
    assert cursors[f"{good.did}@{good.url}"] == 2
    assert (cursors[f"{flooding.did}@{flooding.url}"] or 0) < 300
    states = dict(warehouse.connection.execute("SELECT did, failure IS NULL FROM labeler_state").fetchall())
    assert states == {good.did: True, hostile.did: True, flooding.did: True, down.did: False}


async def test_what_a_labeler_says_while_nobody_follows_is_had_later(warehouse: WarehouseFactory, postgres_url: str):
    labeler = make_labeler(warehouse)

    def count() -> int:
        row = warehouse.connection.execute("SELECT count(*) FROM label").fetchone()
        assert row is not None
        return row[0]

    async with labeler.serving():
        tell_url(warehouse, labeler)
        labeler.publish([labeler.label(SUBJECT, "one", exp=datetime.now(UTC).isoformat(timespec="milliseconds"))])
        first = await follow_until(postgres_url, lambda: count() == 1)
        labeler.publish([labeler.label(SUBJECT, "two")])
        second = await follow_until(postgres_url, lambda: count() == 2)

    assert (first.written, second.written) == (1, 1)
    assert second.failing == {}


async def test_dagster_follows_labelers_for_the_time_of_a_run_and_tells_how_they_fare(
    warehouse: WarehouseFactory, postgres_url: str, tmp_path: Path
):
    labeler = make_labeler(warehouse)
    make_labeler(warehouse)
    settings = network_settings(tmp_path, postgres_url, DOWN, DOWN)
    resources = {name: build_resources(settings)[name] for name in ("warehouse", "network", "labels_settings")}
    config = dg.RunConfig(ops={"follow_all_labelers": FollowLabelsConfig(seconds=2.0)})
    async with labeler.serving():
        tell_url(warehouse, labeler)
        labeler.publish([labeler.label(SUBJECT, "one"), labeler.label(SUBJECT, "two")])
        with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
            ran = await asyncio.to_thread(
                follow_labels.execute_in_process, run_config=config, resources=resources, instance=instance
            )
            told = instance.fetch_materializations(labels.key, limit=1).records[0].asset_materialization

    assert ran.success
    assert told is not None
    assert [told.metadata[name].value for name in ("labelers", "down", "labels", "refused")] == [2, 1, 2, 0]
    assert warehouse.connection.execute("SELECT count(*) FROM label").fetchone() == (2,)


def take_in(network: DevnetHandle, postgres_url: str, home: Path) -> None:
    """The repositories and the documents of a network."""
    settings = network_settings(home, postgres_url, network.relay_url, network.plc_url)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        backfill = Backfill(settings, instance)
        backfill.plan()
        backfill.take_in(backfill.shards)
        instance.add_dynamic_partitions(str(PLC_WINDOWS.name), [window_key(0)])
        backfill.materialize("plc_operations", partition=window_key(0))


async def test_a_network_s_labeler_is_found_by_what_was_taken_in_and_what_stands_of_it_is_shown_by_default(
    postgres_url: str, tmp_path: Path
):
    with running_devnet(DevnetConfig(repos=8, hosts=1, mean_records=10, labels=9)) as network:
        assert network.labeler is not None
        await asyncio.to_thread(take_in, network, postgres_url, tmp_path)
        with connect(postgres_url, autocommit=True) as connection:
            of_all = "SELECT count(*), count(*) FILTER (WHERE is_negated), count(expires_at) FROM label"
            report = await follow_until(postgres_url, lambda: connection.execute(of_all).fetchone() == (15, 3, 3))

    assert report.refused == {}
    shown: dict[str, list[str]] = {}
    async with running_api(postgres_url, labelers=(network.labeler,)) as api:
        for subject in network.labels:
            if subject.startswith("at://"):
                [view] = (await api.get("app.bsky.feed.getPosts", uris=subject))["posts"]
            else:
                view = await api.get("app.bsky.actor.getProfile", actor=subject)
            shown[subject] = [label["val"] for label in view["labels"] if label["src"] == network.labeler]
    assert shown == network.labels
    assert {subject.startswith("at://") for subject in shown} == {True, False}
