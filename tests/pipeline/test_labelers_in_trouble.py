"""What befalls labelers and who follows them: new keys, streams that begin anew, large messages, kill -9."""

import asyncio
import random
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tests.factories import WarehouseFactory
from tests.fakes.http_host import Reply, Request, serving
from tests.pipeline.labelers import SUBJECT, follow_until, make_labeler, tell_url
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.devnet.labeler import DevnetLabeler
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.labels.memory import MemoryLimits

KILLS = 3


def rows(warehouse: WarehouseFactory, query: str, *parameters: object) -> list[Any]:
    return warehouse.connection.execute(query.encode(), parameters).fetchall()


def values(warehouse: WarehouseFactory) -> list[str]:
    """What labels stand for."""
    return [value for (value,) in rows(warehouse, "SELECT value FROM label WHERE NOT is_negated ORDER BY value")]


def document(labeler: DevnetLabeler, key: PrivateKey) -> bytes:
    """The labeler's DID document, as a directory gives it."""
    multibase = key.public_key.to_multibase()
    return orjson.dumps(
        {
            "id": labeler.did,
            "verificationMethod": [{"id": "#atproto_label", "type": "Multikey", "publicKeyMultibase": multibase}],
            "service": [{"id": "#atproto_labeler", "type": "AtprotoLabeler", "serviceEndpoint": labeler.url}],
        }
    )


async def test_a_new_key_is_found_by_asking_once_and_from_then_on_the_old_one_signs_nothing(
    warehouse: WarehouseFactory, postgres_url: str
):
    labeler, new_key = make_labeler(warehouse), PrivateKey.generate("k256")
    async with labeler.serving(), serving(lambda _: Reply(document(labeler, new_key))) as directory:
        tell_url(warehouse, labeler)
        labeler.publish([labeler.label(SUBJECT, "by-the-new", key=new_key)])
        labeler.publish([labeler.label(SUBJECT, "by-the-old")])

        def is_there() -> bool:
            return len(values(warehouse)) == 1 and rows(warehouse, "SELECT seq FROM stream") == [(2,)]

        report = await follow_until(postgres_url, is_there, plc_url=directory.host.url)

    assert values(warehouse) == ["by-the-new"]
    assert report.refused == {"label-signature": 1}
    assert [request.path for request in directory.requests] == [f"/{labeler.did}"]


async def test_a_directory_that_is_silent_refuses_what_does_not_verify_and_holds_up_no_other_labeler(
    warehouse: WarehouseFactory, postgres_url: str
):
    changed, other = make_labeler(warehouse), make_labeler(warehouse)
    asked = asyncio.Event()

    async def wait(_: Request) -> Reply:
        asked.set()
        await until.wait()
        return Reply(b"", 503)

    until = asyncio.Event()
    async with AsyncExitStack() as stack:
        for labeler in (changed, other):
            await stack.enter_async_context(labeler.serving())
            tell_url(warehouse, labeler)
        directory = await stack.enter_async_context(serving(wait))
        changed.publish([changed.label(SUBJECT, "forged", key=PrivateKey.generate("k256"))])
        following = asyncio.create_task(
            follow_until(
                postgres_url,
                lambda: until.is_set() and rows(warehouse, "SELECT 1 FROM label_rejected") == [(1,)],
                plc_url=directory.host.url,
            )
        )
        async with asyncio.timeout(30):
            await asked.wait()
            other.publish([other.label(SUBJECT, "meanwhile")])
            while values(warehouse) != ["meanwhile"]:  # noqa: ASYNC110 - it looks at a database
                await asyncio.sleep(0.05)
        until.set()
        report = await following
    assert report.refused == {"label-signature": 1}


async def test_a_stream_that_began_anew_is_read_from_its_beginning_and_what_is_known_stays(
    warehouse: WarehouseFactory, postgres_url: str
):
    labeler = make_labeler(warehouse)
    async with labeler.serving():
        tell_url(warehouse, labeler)
        port = int(labeler.url.rpartition(":")[2])
        for number in range(3):
            labeler.publish([labeler.label(SUBJECT, f"before-{number}")])
        await follow_until(postgres_url, lambda: len(values(warehouse)) == 3)
    anew = DevnetLabeler(labeler.did, labeler.key)
    async with anew.serving(port):
        anew.publish([anew.label(SUBJECT, "after"), anew.label(SUBJECT, "before-1", neg=True)])
        await follow_until(postgres_url, lambda: "after" in values(warehouse))

    assert values(warehouse) == ["after", "before-0", "before-2"]
    assert rows(warehouse, "SELECT seq FROM stream") == [(1,)]


async def test_messages_beyond_a_labelers_share_come_in_turns_and_the_small_ones_of_others_beside_them(
    warehouse: WarehouseFactory, postgres_url: str
):
    memory = MemoryLimits(85_000_000, 10, turn_seconds=1.0)
    assert memory.turns == 1
    large, larger, small = (make_labeler(warehouse) for _ in range(3))
    async with AsyncExitStack() as stack:
        for labeler in (large, larger, small):
            await stack.enter_async_context(labeler.serving())
            tell_url(warehouse, labeler)
        for labeler, count in ((large, 4_000), (larger, 4_500)):
            said = [labeler.label(SUBJECT, f"{number:05}-{'x' * 120}") for number in range(count)]
            assert len(said) * 300 > memory.part_bytes
            labeler.publish(said)
            labeler.publish([labeler.label(SUBJECT, "at-last")])
        small.publish([small.label(SUBJECT, "small")])

        def counted() -> list[int]:
            return [count for (count,) in rows(warehouse, "SELECT rows FROM labeler_state ORDER BY rows")]

        report = await follow_until(postgres_url, lambda: counted() == [1, 4_001, 4_501], memory=memory)
    assert report.refused == {}


async def test_whoever_is_down_is_said_to_be_since_when_and_as_of_when(warehouse: WarehouseFactory, postgres_url: str):
    down, up = make_labeler(warehouse), make_labeler(warehouse)
    query = "SELECT failure, failed_at, looked_at FROM labeler_state WHERE did = %s"

    def state(labeler: DevnetLabeler) -> tuple[str | None, datetime | None, datetime | None]:
        found = rows(warehouse, query, labeler.did)
        return found[0] if found else (None, None, None)

    began_at = datetime.now(UTC)
    async with up.serving():
        tell_url(warehouse, up)
        up.publish([up.label(SUBJECT, "said")])
        await follow_until(
            postgres_url,
            lambda: values(warehouse) == ["said"] and state(down)[0] == "connect-failed" and state(up)[0] is None,
        )
    failure, failed_at, looked_at = state(down)
    assert failure == "connect-failed"
    assert failed_at is not None
    assert looked_at is not None
    assert began_at - timedelta(seconds=1) < failed_at <= looked_at

    warehouse.connection.execute("UPDATE labeler_state SET looked_at = looked_at - interval '1 hour'")
    await follow_until(postgres_url, lambda: (state(down)[2] or began_at) > began_at)
    assert state(down)[1] == failed_at, "it has been down ever since"


async def test_an_address_that_must_not_be_connected_to_is_said_to_be_why(
    warehouse: WarehouseFactory, postgres_url: str
):
    make_labeler(warehouse)

    def failure() -> list[Any]:
        return rows(warehouse, "SELECT failure FROM labeler_state")

    await follow_until(postgres_url, lambda: failure() == [("address-refused",)], clients=ClientSettings())


async def test_where_labelers_are_too_many_those_who_were_followed_stay_and_silent_documents_are_last(
    warehouse: WarehouseFactory, postgres_url: str
):
    followed = make_labeler(warehouse)
    async with followed.serving():
        tell_url(warehouse, followed)
        followed.publish([followed.label(SUBJECT, "first")])
        await follow_until(postgres_url, lambda: values(warehouse) == ["first"])
        for _ in range(8):
            make_labeler(warehouse)
            warehouse.labeler()
        followed.publish([followed.label(SUBJECT, "second")])
        memory = MemoryLimits(100_000_000, 1)
        await follow_until(postgres_url, lambda: values(warehouse) == ["first", "second"], memory=memory)
    assert len(rows(warehouse, "SELECT 1 FROM labeler_state")) == 1


async def test_followers_killed_at_random_points_leave_the_table_of_one_that_nothing_disturbed(
    warehouse: WarehouseFactory, postgres_url: str
):
    labeler, dice = make_labeler(warehouse), random.Random(7)
    wanted: dict[str, bool] = {}
    async with labeler.serving():
        tell_url(warehouse, labeler)
        for number in range(1_500):
            value, is_negated = f"v{dice.randrange(400):03}", dice.random() < 0.3
            at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
            labeler.publish([labeler.label(SUBJECT, value, cts=at.isoformat(), neg=is_negated or None)])
            wanted[value] = is_negated
        killed_at = [await kill_within(postgres_url, warehouse, dice) for _ in range(KILLS)]
        await follow_until(postgres_url, lambda: rows(warehouse, "SELECT seq FROM stream") == [(labeler.last_seq,)])
    assert dict(rows(warehouse, "SELECT value, is_negated FROM label")) == wanted
    assert rows(warehouse, "SELECT rows FROM labeler_state") == [(len(wanted),)]
    assert any(0 < seq < labeler.last_seq for seq in killed_at), killed_at


async def kill_within(url: str, warehouse: WarehouseFactory, dice: random.Random) -> int:
    """Starts a follower, kills it a moment after it has written something; gives the cursor that it left."""

    def seq() -> int:
        found = rows(warehouse, "SELECT coalesce(seq, 0) FROM stream")
        return found[0][0] if found else 0

    before = seq()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.pipeline.label_process", url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    async with asyncio.timeout(60):
        while seq() == before:  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.002)
    await asyncio.sleep(dice.random() / 5)
    process.kill()
    await process.wait()
    return seq()
