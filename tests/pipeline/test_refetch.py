"""Repositories that change after they were fetched: found by the listings, fetched again alone, and reconciled."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from rich.console import Console

from tests.backfill import QUIET, Backfill
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.atproto.tid import int_to_tid, tid_to_int
from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.sensors import refetch_stale_shards
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.encoding import encode_record
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.live import LiveFeed
from zeppelin_pipeline.devnet.live_repository import Write
from zeppelin_pipeline.devnet.model import Account, AccountStatus, DevnetConfig
from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.audit import all_repositories, audit_repositories
from zeppelin_pipeline.repos.marker import read_marker
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.refetch import RefetchRequest, run_refetch
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.migrations import migrate
from zeppelin_pipeline.warehouse.standing import Standing, set_standings

NETWORK = DevnetConfig(repos=48, hosts=3, seed=13, mean_records=30, inactive_share=0.08)
GET_REPO = "com.atproto.sync.getRepo"


@pytest.fixture
def network() -> Iterator[DevnetHandle]:
    with running_devnet(NETWORK) as handle:
        yield handle


@pytest.fixture
def backfill(network: DevnetHandle, postgres_url: str, tmp_path: Path) -> Iterator[Backfill]:
    """A finished backfill, whose repositories may be fetched again at once."""
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        opened = Backfill(settings_of(network, postgres_url, tmp_path), instance)
        fix_hash_key(postgres_url)
        opened.run()
        yield opened


def settings_of(network: DevnetHandle, url: str, home: Path) -> Settings:
    settings = network_settings(home, url, network.relay_url, network.plc_url)
    return settings.model_copy(update={"refetch_min_age_hours": 0.0})


def follow(number: int) -> Write:
    record = {
        "$type": "app.bsky.graph.follow",
        "subject": f"did:plc:{'a' * 23}{number}",
        "createdAt": "2026-01-01T00:00:00.000Z",
    }
    return Write(f"app.bsky.graph.follow/{int_to_tid((1 << 60) + number)}".encode(), encode_record(record))


def profile(name: str) -> Write:
    return Write(
        b"app.bsky.actor.profile/self", encode_record({"$type": "app.bsky.actor.profile", "displayName": name})
    )


def active_accounts(network: DevnetHandle) -> list[Account]:
    return [account for account in network.accounts() if account.is_active]


def change(network: DevnetHandle) -> set[str]:
    """Four accounts write, update, delete, and delete everything; gives their DIDs."""
    writer, updater, deleter, leaver = (account.did for account in active_accounts(network)[:4])
    network.write(writer, [follow(1), follow(2)])
    network.write(updater, [profile("Somebody else")])
    network.write(deleter, [Write(network.records_of(deleter)[0].key, None)])
    network.write(leaver, [Write(record.key, None) for record in network.records_of(leaver)])
    return {writer, updater, deleter, leaver}


def refetch_by_sensor(backfill: Backfill) -> list[str]:
    """What the daemon does once `stale_repos` has run; gives the shards that were asked for."""
    resources = build_resources(backfill.settings)
    context = dg.build_sensor_context(instance=backfill.instance, resources={"lake": resources["lake"]})
    result = refetch_stale_shards(context)
    if not isinstance(result, dg.SensorResult):
        return []
    shards: list[str] = []
    for request in result.run_requests or []:
        assert isinstance(request, dg.RunRequest)
        assert request.partition_key is not None
        stages = ("fetched_repos", "record_batches", "warehouse_tables")
        backfill.materialize(*stages, partition=request.partition_key, config=dict(request.run_config or {}))
        shards.append(request.partition_key)
    return shards


def without_zeros(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Counts that came down to nothing are as good as no row."""
    counts = {"post_counts": 2, "actor_counts": 1}
    return {
        name: [row for row in rows if name not in counts or any(row[counts[name] :])] for name, rows in tables.items()
    }


def fetches(network: DevnetHandle) -> int:
    return sum(network.requests(host.number).get(GET_REPO, 0) for host in network.hosts)


def held_revs(url: str) -> dict[str, Any]:
    with psycopg.connect(url) as connection:
        audits = [
            audit for page in all_repositories(connection, shard=None) for audit in audit_repositories(connection, page)
        ]
    assert all(audit.is_exact for audit in audits)
    return {audit.did: audit.rev for audit in audits}


def test_what_changed_is_fetched_again_alone_and_reconciled(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    before = fetches(network)
    changed = change(network)
    backfill.relist()
    backfill.materialize("stale_repos")
    assert backfill.metadata["stale_repos", None]["dagster/row_count"] == len(changed)
    shards = refetch_by_sensor(backfill)
    assert 0 < len(shards) <= len(changed)
    assert fetches(network) - before == len(changed)
    assert held_revs(postgres_url) == {account.did: network.rev_of(account.did) for account in active_accounts(network)}
    assert all(backfill.checks.values())
    backfill.finish()

    migrate(empty_postgres_url)
    fix_hash_key(empty_postgres_url)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        clean = Backfill(settings_of(network, empty_postgres_url, tmp_path / "clean"), instance)
        clean.run()
    dictionaries = {"actor", "record_key", "collection"}  # what a repository named before it changed stays in them
    ours, theirs = (without_zeros(comparable_tables(url)) for url in (postgres_url, empty_postgres_url))
    assert {name for name in ours if ours[name] != theirs[name]} <= dictionaries
    for shard in shards:  # most rows were not extracted again
        marker = read_marker(Lake(backfill.settings.lake_url), shard)
        assert marker is not None
        assert marker.base is not None
        assert sum(file.unchanged_rows for file in marker.files) > sum(file.rows for file in marker.files) / 2

    before = fetches(network)
    backfill.relist()
    backfill.materialize("stale_repos")
    assert refetch_by_sensor(backfill) == []
    assert fetches(network) == before


def test_a_refetch_that_is_run_twice_asks_once(network: DevnetHandle, backfill: Backfill) -> None:
    change(network)
    backfill.relist()
    backfill.materialize("stale_repos")
    shards = refetch_by_sensor(backfill)
    before = fetches(network)
    for shard in shards:
        config = {"ops": {"fetched_repos": {"config": {"refetch": "STALE"}}}}
        backfill.materialize("fetched_repos", partition=shard, config=config)
        assert backfill.metadata["fetched_repos", shard]["parts"] == 0
    assert fetches(network) == before


def test_accounts_that_left_and_came_back_are_seen(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    left = active_accounts(network)[0].did
    [back, *_] = [account.did for account in network.accounts() if account.status is AccountStatus.DEACTIVATED]
    network.set_status(left, AccountStatus.DEACTIVATED)
    network.set_status(back, AccountStatus.ACTIVE)
    backfill.relist()
    backfill.materialize("stale_repos")
    assert backfill.metadata["stale_repos", None]["dagster/row_count"] == 2
    refetch_by_sensor(backfill)
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT a.did, r.status FROM repo r JOIN actor a ON a.id = r.actor_id WHERE a.did = ANY(%s)"
        assert dict(connection.execute(query, ([left, back],)).fetchall()) == {left: "deactivated", back: "active"}
    assert held_revs(postgres_url)[back] == network.rev_of(back)


def test_what_events_tell_after_a_listing_delays_no_refetch_and_is_not_doubted_by_it(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    writer, returned = (account.did for account in active_accounts(network)[:2])
    network.write(writer, [follow(6)])
    network.set_status(returned, AccountStatus.DEACTIVATED)
    backfill.relist()
    told = [Standing(did, "active", datetime.now(UTC)) for did in (writer, returned)]
    with psycopg.connect(postgres_url) as connection:
        assert set_standings(connection, read_key_space(connection), told) == 2
    backfill.materialize("stale_repos")
    assert backfill.metadata["stale_repos", None]["dagster/row_count"] == 1
    refetch_by_sensor(backfill)
    assert held_revs(postgres_url)[writer] == network.rev_of(writer)


def test_a_host_that_fails_a_refetch_costs_nothing_that_is_held(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    changed = change(network)
    for host in network.hosts:
        network.set_fault(host.number, Fault(FaultKind.HTTP_ERROR, share=1.0, method=GET_REPO))
    held = held_revs(postgres_url)
    backfill.relist()
    backfill.materialize("stale_repos")
    shards = refetch_by_sensor(backfill)
    assert sum(backfill.metadata["fetched_repos", shard]["failed"] for shard in shards) == len(changed)
    assert held_revs(postgres_url) == held
    network.clear_faults()
    backfill.materialize("stale_repos")
    assert refetch_by_sensor(backfill) == shards
    assert {did: held_revs(postgres_url)[did] for did in changed} == {did: network.rev_of(did) for did in changed}


def test_accounts_given_by_hand_are_fetched_whatever_is_known_of_them(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    did = active_accounts(network)[0].did
    network.write(did, [follow(3)])
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT r.shard FROM repo r JOIN actor a ON a.id = r.actor_id WHERE a.did = %s"
        [(shard,)] = connection.execute(query, (did,)).fetchall()
    before = fetches(network)
    config = {"ops": {"fetched_repos": {"config": {"refetch": "DIDS", "dids": [did]}}}}
    backfill.materialize("fetched_repos", "record_batches", "warehouse_tables", partition=shard, config=config)
    assert fetches(network) - before == 1
    assert held_revs(postgres_url)[did] == network.rev_of(did)


def test_the_command_fetches_accounts_and_what_is_stale_without_dagster(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    one, other = (account.did for account in active_accounts(network)[:2])
    before = fetches(network)
    network.write(one, [follow(4)])
    network.write(other, [follow(5)])
    console = Console(file=StringIO())
    assert run_refetch(backfill.settings, RefetchRequest((one,), None, is_stale=False), console)
    assert held_revs(postgres_url)[one] == network.rev_of(one)
    backfill.relist()
    assert run_refetch(backfill.settings, RefetchRequest((), None, is_stale=True), console)
    assert held_revs(postgres_url)[other] == network.rev_of(other)
    assert fetches(network) - before == 2
    with pytest.raises(ConfigurationError, match="in no shard"):
        run_refetch(backfill.settings, RefetchRequest(("did:plc:nobody",), None, is_stale=False), console)


def test_a_host_that_went_back_is_told_and_taken_only_when_a_person_says_so(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    did = active_accounts(network)[0].did
    listed = network.rev_of(did)
    with psycopg.connect(postgres_url) as connection:  # as if we had seen a commit that its host has lost since
        newer = "UPDATE repo SET rev = rev + (1 << 30) WHERE actor_id = (SELECT id FROM actor WHERE did = %s)"
        assert connection.execute(newer, (did,)).rowcount == 1
        unproven = "DELETE FROM post WHERE actor_id = (SELECT id FROM actor WHERE did = %s)"
        connection.execute(unproven, (did,))
    backfill.relist()
    backfill.materialize("stale_repos")
    found = backfill.metadata["stale_repos", None]
    assert (found["dagster/row_count"], found["behind"]) == (0, 1)
    console = Console(file=StringIO())
    assert run_refetch(backfill.settings, RefetchRequest((did,), None, is_stale=False), console)
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT r.rev FROM repo r JOIN actor a ON a.id = r.actor_id WHERE a.did = %s"
        assert connection.execute(query, (did,)).fetchall() == [(tid_to_int(listed) + (1 << 30),)]
    assert run_refetch(backfill.settings, RefetchRequest((did,), None, is_stale=False, accepts_older=True), console)
    assert held_revs(postgres_url)[did] == listed
    with pytest.raises(ConfigurationError, match="one by one"):
        run_refetch(backfill.settings, RefetchRequest((), None, is_stale=True, accepts_older=True), console)


def test_only_so_many_are_taken_in_a_night_and_none_that_is_young(
    network: DevnetHandle, postgres_url: str, tmp_path: Path
) -> None:
    fix_hash_key(postgres_url)
    settings = settings_of(network, postgres_url, tmp_path)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        backfill = Backfill(settings.model_copy(update={"refetch_limit": 3}), instance)
        backfill.run()
        change(network)
        backfill.relist()
        backfill.materialize("stale_repos")
        found = backfill.metadata["stale_repos", None]
        assert (found["dagster/row_count"], found["found"], found["left_for_later"]) == (3, 4, 1)
        backfill.settings = settings.model_copy(update={"refetch_min_age_hours": 1.0})
        backfill.materialize("stale_repos")
        assert backfill.metadata["stale_repos", None]["found"] == 0


def statuses(url: str, dids: set[str]) -> dict[str, str]:
    query = "SELECT did, status FROM repo JOIN actor ON id = actor_id WHERE did = ANY(%s)"
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query, [list(dids)]).fetchall())


def test_an_account_that_moved_is_asked_for_where_it_is_each_time_it_writes(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
):
    mover = active_accounts(network)[0]
    network.tell(LiveFeed.move, mover.did)
    for number in (7, 8):
        network.write(mover.did, [follow(number)])
        before = fetches(network)
        backfill.relist()
        backfill.materialize("stale_repos")
        refetch_by_sensor(backfill)
        assert fetches(network) == before + 1, "the former host is not asked"
        assert statuses(postgres_url, {mover.did}) == {mover.did: "active"}
        assert held_revs(postgres_url)[mover.did] == network.rev_of(mover.did)


def test_an_account_that_its_host_lists_no_more_is_asked_for_and_only_then_hidden(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
):
    gone, moved, *_ = (account for account in active_accounts(network) if account.host == 0)
    network.set_status(gone.did, AccountStatus.DELETED)
    network.steal_away(moved.did)
    held_before = held_revs(postgres_url)
    backfill.relist()
    backfill.materialize("stale_repos")
    assert statuses(postgres_url, {gone.did, moved.did}) == {gone.did: "active", moved.did: "active"}
    before = fetches(network)
    refetch_by_sensor(backfill)

    assert statuses(postgres_url, {gone.did, moved.did}) == {gone.did: "not-found", moved.did: "active"}
    assert fetches(network) == before + 2
    assert held_revs(postgres_url) == held_before, "absence removes nothing"
    backfill.relist()
    backfill.materialize("stale_repos")
    assert refetch_by_sensor(backfill) == [], "it is known where the one is, and that the other is gone"
