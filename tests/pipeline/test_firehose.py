"""The firehose of a devnet into a backfilled warehouse: every event kind, faults, gaps, and equality with the truth."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from tests.backfill import QUIET, Backfill
from tests.fakes.s3_server import running_s3_server
from tests.pipeline.live_devnet import cursor_of, firehose_settings, follow_to, set_cursor_to_now
from tests.pipeline.live_equality import assert_equal_to, drift_of_clean_ranges, inexact, states
from tests.pipeline.tables import fix_hash_key, network_settings
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.encoding import encode_record
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.live_repository import Write
from zeppelin_pipeline.devnet.model import AccountStatus, DevnetConfig, LiveConfig
from zeppelin_pipeline.firehose.rates import Rates
from zeppelin_pipeline.firehose.resolver import resolver_of
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import FutureCursorError
from zeppelin_pipeline.firehose.upkeep import Upkeep
from zeppelin_pipeline.firehose.verifiers import VerifierDiedError
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.warehouse.indexes import declared_indexes
from zeppelin_pipeline.warehouse.tables import TABLES

BACKLOG = 300
POSTPONED = "SELECT FROM resync WHERE failures > 0"
NETWORK = DevnetConfig(repos=16, hosts=2, seed=17, mean_records=15, live=LiveConfig(backlog_events=BACKLOG))


@pytest.fixture
def network() -> Iterator[DevnetHandle]:
    with running_devnet(NETWORK) as handle:
        yield handle


@pytest.fixture
def backfill(network: DevnetHandle, postgres_url: str, tmp_path: Path) -> Iterator[Backfill]:
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        settings = network_settings(tmp_path, postgres_url, network.relay_url, network.plc_url)
        opened = Backfill(settings, instance)
        fix_hash_key(postgres_url)
        opened.run()
        set_cursor_to_now(opened, network)
        yield opened


def active_dids(network: DevnetHandle) -> list[str]:
    """Accounts that write, in one order."""
    return [each.did for each in network.accounts() if each.is_active and each.former_host is None]


def post(number: int) -> Write:
    record = {"$type": "app.bsky.feed.post", "text": f"number {number}", "createdAt": "2026-01-01T00:00:00.000Z"}
    return Write(f"app.bsky.feed.post/{int_to_tid((1 << 60) + number)}".encode(), encode_record(record))


def rows_of(url: str, did: str) -> int:
    """Rows of an account's records."""
    with psycopg.connect(url) as connection:
        count = sql.SQL("SELECT count(*) FROM {} JOIN actor ON id = actor_id WHERE did = %s")
        rows = [
            connection.execute(count.format(sql.Identifier(table.table)), (did,)).fetchone()
            for table in TABLES.values()
        ]
    return sum(row[0] for row in rows if row)


async def settle(settings: FirehoseSettings, url: str, seq: int) -> list[Rates]:
    """Follows until the cursor is there, nothing waits to be fetched again, and no gap is open."""

    def is_settled() -> bool:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM resync), (SELECT count(*) FROM stream_gap WHERE repaired_at IS NULL)"
            ).fetchone()
        return row == (0, 0)

    return await follow_to(settings, seq, also=is_settled)


async def test_live_events_leave_the_warehouse_equal_to_the_network(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    last = network.live(BACKLOG - 50)
    settings = firehose_settings(network, postgres_url, tmp_path)
    reports = await settle(settings, postgres_url, last)
    assert sum(report.events.get("commit", 0) for report in reports) > BACKLOG - 80
    assert not any(report.refused or report.ahead or report.gaps for report in reports)
    assert_equal_to(network, postgres_url)
    # Whatever is replayed changes nothing.
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE stream SET seq = %s", (last - 200,))
    reports = await settle(settings, postgres_url, last)
    assert sum(report.replayed for report in reports) > 150
    assert_equal_to(network, postgres_url)


async def test_commits_that_a_relay_has_lost_are_fetched_from_their_host(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    writer, other = active_dids(network)[:2]
    network.write(writer, [post(1), post(2)])  # the relay does not tell
    network.write(other, [post(3)])
    last = network.tell(lambda feed, account: feed.write(account, feed.repository(account), [post(4)]), writer)
    reports = await settle(firehose_settings(network, postgres_url, tmp_path), postgres_url, last)
    assert sum(report.ahead for report in reports) == 1
    held = states(postgres_url)
    assert held[writer] == ("synchronized", "active", network.rev_of(writer))
    assert held[other][2] != network.rev_of(other), "nothing has told of it"
    assert not inexact(postgres_url)


async def test_a_gap_is_repaired_by_comparing_revs(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    """More events than the relay keeps come while nobody follows."""
    network.live(40)
    deleted = active_dids(network)[0]
    network.tell(lambda feed, account: feed.delete(account), deleted)
    last = network.live(BACKLOG + 50)
    reports = await settle(firehose_settings(network, postgres_url, tmp_path), postgres_url, last)
    assert sum(report.gaps for report in reports) == 1
    with psycopg.connect(postgres_url) as connection:
        gaps = connection.execute("SELECT after_seq, before_seq, reason, listed, queued FROM stream_gap").fetchall()
    assert [gap[:3] for gap in gaps] == [(0, last - BACKLOG + 1, "outdated-cursor")]
    assert gaps[0][3] == NETWORK.repos - 1
    assert states(postgres_url)[deleted][1] == "not-found", "the relay lists it no more, and its host denies it"
    assert_equal_to(network, postgres_url)


async def test_accounts_are_hidden_shown_again_and_removed(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    settings = firehose_settings(network, postgres_url, tmp_path)
    hidden, removed, returned = active_dids(network)[:3]
    network.tell(lambda feed, account: feed.change_status(account, AccountStatus.TAKENDOWN), hidden)
    network.tell(lambda feed, account: feed.change_status(account, AccountStatus.DELETED), removed)
    network.tell(lambda feed, account: feed.change_status(account, AccountStatus.DEACTIVATED), returned)
    last = network.tell(lambda feed, account: feed.change_status(account, AccountStatus.ACTIVE), returned)
    await settle(settings, postgres_url, last)
    held = states(postgres_url)
    assert held[hidden][:2] == ("synchronized", "takendown")
    assert held[removed][:2] == ("absent", "deleted")
    assert held[returned][:2] == ("synchronized", "active")
    assert rows_of(postgres_url, hidden) == len(network.records_of(hidden))
    assert rows_of(postgres_url, removed) == 0
    assert drift_of_clean_ranges(postgres_url) == 0


async def test_an_account_whose_return_was_not_told_is_asked_for_until_its_host_answers(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    """That its content is held already settles nothing."""
    settings = firehose_settings(network, postgres_url, tmp_path)
    returned = active_dids(network)[0]
    last = network.tell(lambda feed, account: feed.change_status(account, AccountStatus.DEACTIVATED), returned)
    await settle(settings, postgres_url, last)
    network.set_status(returned, AccountStatus.ACTIVE)  # and the relay does not tell
    for host in network.hosts:
        network.set_fault(host.number, Fault(FaultKind.HTTP_ERROR, method="com.atproto.sync.getRepo"))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO resync (actor_id, did, reason, due_at) SELECT id, did, 'gap', now() FROM actor WHERE did = %s",
            (returned,),
        )
        await follow_to(settings, last, also=lambda: bool(connection.execute(POSTPONED).fetchall()))
        assert states(postgres_url)[returned][:2] == ("synchronized", "deactivated")
        network.clear_faults()
        connection.execute("UPDATE resync SET due_at = now()")
    await settle(settings, postgres_url, last)
    assert states(postgres_url)[returned][:2] == ("synchronized", "active")


async def test_repositories_are_fetched_again_in_rounds_that_grow(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    """A process that is soon ended has settled the first few; that an account is not active is an answer too."""
    settings = firehose_settings(network, postgres_url, tmp_path)
    hidden = active_dids(network)[0]
    network.tell(lambda feed, account: feed.change_status(account, AccountStatus.DEACTIVATED), hidden)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        queued = connection.execute(
            "INSERT INTO resync (actor_id, did, reason, due_at) SELECT a.id, a.did, 'gap', now()"
            " FROM repo JOIN actor a ON a.id = actor_id WHERE status = 'active'"
        ).rowcount
        connection.execute(
            "UPDATE repo SET state = 'desynchronized' FROM actor WHERE id = actor_id AND did = %s", (hidden,)
        )
        settled: list[int] = []
        async with HostClients(settings.clients) as clients:
            resolver = resolver_of(clients, settings.plc_url)
            upkeep = Upkeep(
                lambda: psycopg.connect(postgres_url, autocommit=True),
                clients,
                resolver,
                resolver,
                settings.stream,
                lambda: settled.append(upkeep.resynced) or True,
            )
            running = asyncio.create_task(upkeep.run())
            async with asyncio.timeout(60):
                while upkeep.resynced < queued:  # noqa: ASYNC110 - the database is waited for
                    await asyncio.sleep(0.05)
            running.cancel()
            await asyncio.wait([running])
    assert list(dict.fromkeys(settled))[:3] == [0, 4, 12]
    assert states(postgres_url)[hidden][1] == "deactivated"
    assert not inexact(postgres_url)


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    """Where events wait: a folder, and a bucket of an S3 server."""
    if request.param == "local":
        yield Lake(str(tmp_path / "lake"))
    else:
        with running_s3_server() as server:
            yield Lake(server.url, server.options)


async def test_events_wait_in_files_until_the_indexes_stand(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path, lake: Lake
) -> None:
    settings = replace(firehose_settings(network, postgres_url, tmp_path), lake=lake)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(declared_indexes()[-1].name)))
    middle = network.live(150)
    reports = await follow_to(settings, middle)
    assert all(report.is_spooling for report in reports)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT sum(events) FROM stream_segment").fetchone() == (150,)
        paths = connection.execute("SELECT path FROM stream_segment ORDER BY path").fetchall()
        assert lake.list("streams") == [path for (path,) in paths]
        assert connection.execute("SELECT count(*) FROM ahead_commit").fetchone() == (0,)
    backfill.materialize("warehouse_indexes")
    last = network.live(50)
    await settle(settings, postgres_url, last)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM stream_segment").fetchone() == (0,)
    assert not lake.list("streams")
    assert_equal_to(network, postgres_url)


async def test_only_one_consumer_follows_a_relay(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    settings = firehose_settings(network, postgres_url, tmp_path)
    until = asyncio.Event()
    first = asyncio.create_task(follow(settings, until))
    await until_cursor(settings, network.live(5))
    assert await follow(settings, until) is False
    until.set()
    assert await first


async def test_a_relay_that_began_anew_is_not_followed(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    settings = firehose_settings(network, postgres_url, tmp_path)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE stream SET seq = 1000000")
    with pytest.raises(FutureCursorError, match="1000000"):
        await follow(settings, asyncio.Event())


async def test_a_consumer_killed_at_random_points_loses_nothing(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    """Killed in the midst of batches, again and again: what it left is what an undisturbed one would have left."""
    settings = firehose_settings(network, postgres_url, tmp_path)
    words = (postgres_url, network.relay_url, network.plc_url, str(tmp_path))
    command = (sys.executable, "-m", "tests.pipeline.firehose_process", *words)
    moments = random.Random(5)
    last = 0
    for _ in range(4):
        last = network.live(60)
        before = cursor_of(settings) or 0
        process = await asyncio.create_subprocess_exec(*command)
        async with asyncio.timeout(60):
            while (cursor_of(settings) or 0) <= before:  # noqa: ASYNC110 - the database is waited for
                await asyncio.sleep(0.01)
        await asyncio.sleep(moments.random() * 0.1)
        process.kill()
        await process.wait()
        assert (cursor_of(settings) or 0) <= last
    await settle(settings, postgres_url, last)
    assert_equal_to(network, postgres_url)


async def test_a_verifier_or_a_connection_that_dies_ends_the_consumer_and_the_next_loses_nothing(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    settings = firehose_settings(network, postgres_url, tmp_path)
    for kill, error in ((kill_verifiers, VerifierDiedError), (drop_connections, psycopg.OperationalError)):
        following = asyncio.create_task(follow(settings, asyncio.Event()))
        await until_cursor(settings, network.live(20))
        kill(postgres_url)
        network.live(40)
        with pytest.raises(error):
            await asyncio.wait_for(following, 60)
    await settle(settings, postgres_url, network.last_seq())
    assert_equal_to(network, postgres_url)


async def test_a_consumer_that_stands_by_takes_over_when_the_other_ends(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    settings = firehose_settings(network, postgres_url, tmp_path)
    ends = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(follow(settings, ends[0]))
    await until_cursor(settings, network.live(30))
    second = asyncio.create_task(follow(settings, ends[1], patience_seconds=60))
    network.live(30)
    ends[0].set()
    assert await first
    await until_cursor(settings, network.live(30))
    ends[1].set()
    assert await second
    await settle(settings, postgres_url, network.last_seq())
    assert_equal_to(network, postgres_url)


async def test_what_two_relays_tell_is_applied_once(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    one = firehose_settings(network, postgres_url, tmp_path)
    other = replace(one, relay=network.relay_url.replace("127.0.0.1", "localhost"))
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "INSERT INTO stream (relay, endpoint, epoch, seq) SELECT %s, endpoint, 1, seq FROM stream", (other.relay,)
        )
    last = network.live(100)
    reports = await asyncio.gather(follow_to(one, last), follow_to(other, last))
    told = [sum(report.events.get("commit", 0) for report in each) for each in reports]
    assert told[0] == told[1] > 50
    assert sum(report.replayed for each in reports for report in each) == told[0]
    await settle(one, postgres_url, last)
    assert_equal_to(network, postgres_url)


def kill_verifiers(_url: str) -> None:
    """Kills this process's verifiers."""
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"verifier_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)


def drop_connections(url: str) -> None:
    """Ends all that the firehose has with the warehouse, as the end of the server would."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name IN ('zeppelin firehose', 'zeppelin resync')"
        )


async def until_cursor(settings: FirehoseSettings, seq: int) -> None:
    """Waits until everything up to a number is durable."""
    async with asyncio.timeout(90):
        while (cursor_of(settings) or 0) < seq:  # noqa: ASYNC110 - the database is waited for
            await asyncio.sleep(0.05)
