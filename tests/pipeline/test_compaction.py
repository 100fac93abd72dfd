"""What leaves the lake: data of accounts that are gone, CARs past their time, files that nobody counts."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pyarrow.compute as pc
import pytest

from tests.backfill import QUIET, Backfill
from tests.pipeline.live_devnet import firehose_settings, follow_to, set_cursor_to_now
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.model import AccountStatus, DevnetConfig
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos import compaction
from zeppelin_pipeline.repos.audit import all_repositories, audit_repositories
from zeppelin_pipeline.repos.compaction import CompactionSettings, compact_lake, oldest_removal
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.manifests import list_shards
from zeppelin_pipeline.repos.pack import pack_rows
from zeppelin_pipeline.repos.pruning import prune_lake
from zeppelin_pipeline.warehouse.migrations import migrate

NETWORK = DevnetConfig(repos=32, hosts=2, seed=17, mean_records=25, inactive_share=0.1)


@pytest.fixture
def network() -> Iterator[DevnetHandle]:
    with running_devnet(NETWORK) as handle:
        yield handle


@pytest.fixture
def backfill(network: DevnetHandle, postgres_url: str, tmp_path: Path) -> Iterator[Backfill]:
    settings = network_settings(tmp_path, postgres_url, network.relay_url, network.plc_url)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        fix_hash_key(postgres_url)
        opened = Backfill(settings.model_copy(update={"refetch_min_age_hours": 0.0}), instance)
        opened.plan()
        opened.take_in(opened.shards)
        yield opened


def leave(network: DevnetHandle, url: str, status: AccountStatus) -> str:
    """An account leaves, as a live event tells the warehouse; gives its DID."""
    did = next(account.did for account in network.accounts() if network.status_of(account.did) is AccountStatus.ACTIVE)
    network.set_status(did, status)
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE repo SET status = %s, told_at = now() WHERE actor_id = (SELECT id FROM actor WHERE did = %s)",
            (status.value, did),
        )
    return did


def whose_data(lake: Lake) -> set[str]:
    """The DIDs that packs or batches have anything of but that they are gone."""
    dids: set[str] = set()
    for shard in list_shards(lake):
        dids |= {row.did for row in pack_rows(lake, shard) if row.state != "absent"}
        for path in lake.list(layout.BATCHES):
            with lake.open_parquet(path) as file:
                table = file.read()
            if path.split("/")[1] == "repo":
                table = table.filter(pc.not_equal(table["state"], "absent"))
            if path.split("/")[1] in RECORD_DATASETS:
                dids |= set(table["did"].to_pylist())
    return dids


def test_accounts_that_left_leave_the_lake_and_nothing_is_loaded_again(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, empty_postgres_url: str
) -> None:
    lake = Lake(backfill.settings.lake_url)
    gone, hidden = (leave(network, postgres_url, each) for each in (AccountStatus.TAKENDOWN, AccountStatus.DEACTIVATED))
    held = whose_data(lake)
    assert {gone, hidden} < held
    before = comparable_tables(postgres_url)
    backfill.materialize("lake_compaction")
    assert whose_data(lake) == held - {gone, hidden}
    said = backfill.metadata["lake_compaction", None]
    assert (said["waiting"], said["oldest_waiting_hours"], said["postponed"]) == (0, 0.0, "none")
    assert backfill.checks["deletions_leave_in_time", None]

    backfill.take_in(backfill.shards)
    assert all(metadata["reused"] for metadata in backfill.of("record_batches"))
    assert all(metadata["loaded_before"] for metadata in backfill.of("warehouse_tables"))
    assert comparable_tables(postgres_url) == before

    migrate(empty_postgres_url)  # what is left is a whole lake
    fix_hash_key(empty_postgres_url)
    backfill.settings = backfill.settings.model_copy(update={"postgres_url": empty_postgres_url})
    for shard in backfill.shards:
        backfill.materialize("warehouse_tables", partition=shard)
    with psycopg.connect(empty_postgres_url) as connection:
        audits = [a for page in all_repositories(connection, shard=None) for a in audit_repositories(connection, page)]
    assert {audit.did for audit in audits if audit.is_exact} == held - {gone, hidden}


def test_an_account_that_a_live_event_deletes_leaves_the_lake(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, tmp_path: Path
) -> None:
    lake = Lake(backfill.settings.lake_url)
    backfill.finish()
    set_cursor_to_now(backfill, network)
    did = next(each.did for each in network.accounts() if each.is_active and each.former_host is None)
    held = whose_data(lake)
    assert did in held
    last = network.tell(lambda feed, account: feed.change_status(account, AccountStatus.DELETED), did)

    def is_deleted() -> bool:
        with psycopg.connect(postgres_url) as connection:
            query = "SELECT r.status FROM repo r JOIN actor a ON a.id = r.actor_id WHERE a.did = %s"
            return connection.execute(query, (did,)).fetchall() == [("deleted",)]

    asyncio.run(follow_to(firehose_settings(network, postgres_url, tmp_path), last, also=is_deleted))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        waiting, oldest = oldest_removal(connection)
        assert waiting > 0
        assert oldest is not None
        compact_lake(connection, lake)
        assert oldest_removal(connection) == (0, None)
    assert whose_data(lake) == held - {did}
    backfill.take_in(backfill.shards)
    assert all(metadata["loaded_before"] for metadata in backfill.of("warehouse_tables"))
    assert is_deleted()


def test_an_account_that_comes_back_is_fetched_again(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    lake = Lake(backfill.settings.lake_url)
    did = leave(network, postgres_url, AccountStatus.DEACTIVATED)
    backfill.materialize("lake_compaction")
    network.set_status(did, AccountStatus.ACTIVE)
    backfill.relist()
    backfill.materialize("stale_repos")
    config = {"ops": {"fetched_repos": {"config": {"refetch": "STALE"}}}}
    for shard in backfill.shards:
        backfill.materialize("fetched_repos", "record_batches", "warehouse_tables", partition=shard, config=config)
    assert did in whose_data(lake)
    backfill.materialize("lake_compaction")
    assert did in whose_data(lake)
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT r.status FROM repo r JOIN actor a ON a.id = r.actor_id WHERE a.did = %s"
        assert connection.execute(query, (did,)).fetchall() == [("active",)]


def test_what_is_not_loaded_is_left_and_the_wait_is_told(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    lake = Lake(backfill.settings.lake_url)
    did = leave(network, postgres_url, AccountStatus.TAKENDOWN)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE load SET fingerprint = 'another'")
        connection.execute("UPDATE repo SET fetched_at = now() - interval '200 hours' WHERE status = 'takendown'")
        connection.execute("UPDATE repo SET told_at = now() - interval '100 hours' WHERE status = 'takendown'")
        result = compact_lake(connection, lake, CompactionSettings(keep_cars=timedelta(0)))
        assert result.shards == 0
        assert any("not loaded" in one for one in result.postponed)
        assert did in whose_data(lake)
        waiting, oldest = oldest_removal(connection)
    assert waiting > 0
    assert oldest is not None
    assert 99 < (datetime.now(UTC) - oldest) / timedelta(hours=1) < 101  # since it was told, not since it was fetched
    backfill.materialize("lake_compaction")
    assert backfill.metadata["lake_compaction", None]["oldest_waiting_hours"] >= 100
    assert not backfill.checks["deletions_leave_in_time", None]


def test_cars_go_when_their_time_is_over_and_a_refetch_needs_none_of_them(
    network: DevnetHandle, backfill: Backfill, postgres_url: str
) -> None:
    lake = Lake(backfill.settings.lake_url)
    shard = max(backfill.shards)
    before = extract_shard(lake, shard)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        assert compact_lake(connection, lake, CompactionSettings(keep_cars=timedelta(days=1))).bytes_freed == 0
        assert any(row.car for row in pack_rows(lake, shard))
        assert compact_lake(connection, lake, CompactionSettings(keep_cars=timedelta(0))).bytes_freed > 0
        assert compact_lake(connection, lake, CompactionSettings(keep_cars=timedelta(0))).parts == 0
    assert not any(row.car for row in pack_rows(lake, shard))
    assert extract_shard(lake, shard).fingerprint == before.fingerprint
    asked = sum(network.requests(host.number)["com.atproto.sync.getRepo"] for host in network.hosts)
    did = next(row.did for row in pack_rows(lake, shard) if row.state == "fetched")
    config = {"ops": {"fetched_repos": {"config": {"refetch": "DIDS", "dids": [did]}}}}
    backfill.materialize("fetched_repos", "record_batches", "warehouse_tables", partition=shard, config=config)
    assert sum(network.requests(host.number)["com.atproto.sync.getRepo"] for host in network.hosts) == asked + 1
    after = extract_shard(lake, shard)
    assert (after.entries, after.rows) == (before.entries, before.rows)


def test_a_compaction_that_is_cut_off_is_finished_by_the_next(
    network: DevnetHandle, backfill: Backfill, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(backfill.settings.lake_url)
    did = leave(network, postgres_url, AccountStatus.TAKENDOWN)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in ("write_marker", "_mark"):
            with monkeypatch.context() as patch:
                patch.setattr(compaction, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
                with pytest.raises(KeyboardInterrupt):
                    compact_lake(connection, lake)
        compact_lake(connection, lake)
        assert oldest_removal(connection) == (0, None)
    assert prune_lake(lake).batches == 0  # a cut-off run's files had the names of the next one's
    assert did not in whose_data(lake)
    backfill.take_in(backfill.shards)
    assert all(metadata["loaded_before"] for metadata in backfill.of("warehouse_tables"))


def test_files_that_nobody_counts_go(network: DevnetHandle, backfill: Backfill) -> None:
    lake = Lake(backfill.settings.lake_url)
    marker = lake.list(f"{layout.BATCHES}/_shards")[0]
    with lake.open_parquet(marker) as file:
        counted = file.read()["path"].to_pylist()
    with lake.open_parquet(counted[0]) as file:
        lake.write_table(counted[0].replace(counted[0][-20:-8], "0123456789ab"), file.read())
    pages = len(lake.list(layout.LISTING))
    backfill.relist()
    backfill.relist()
    pruned = prune_lake(lake)
    assert (pruned.batches, pruned.listing_pages) == (1, 2 * pages)
    assert len(lake.list(layout.LISTING)) == pages
    assert prune_lake(lake) == type(pruned)(0, 0, 0)
    backfill.take_in(backfill.shards)
    assert all(metadata["reused"] for metadata in backfill.of("record_batches"))
