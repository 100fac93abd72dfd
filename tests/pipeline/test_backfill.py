"""The whole way from hosts to counts, on a network of our own, compared with what that network knows to be true."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from tests.backfill import QUIET, Backfill
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.repos.audit import all_repositories, audit_repositories, read_records
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.migrations import migrate
from zeppelin_pipeline.warehouse.tables import TABLES

#: Small, but with shards of one host, a bundle, and accounts that are not active.
NETWORK = DevnetConfig(repos=48, hosts=4, seed=7, mean_records=60, inactive_share=0.08)


@contextmanager
def backfill_of(network: DevnetHandle, postgres_url: str, home: Path) -> Generator[Backfill]:
    fix_hash_key(postgres_url)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        yield Backfill(network_settings(home, postgres_url, network.relay_url, network.plc_url), instance)


def records_in_warehouse(url: str, did: str) -> dict[str, bytes]:
    with psycopg.connect(url) as connection:
        actor = read_key_space(connection).actor_id(did)
        return {record.key.decode(): bytes(record.block) for record in read_records(connection, [actor])}


def records_in_network(network: DevnetHandle, did: str) -> dict[str, bytes]:
    return {f"{record.collection}/{record.rkey}": record.block for record in network.records_of(did)}


def test_every_record_of_the_network_is_given_back_byte_for_byte(postgres_url: str, tmp_path: Path) -> None:
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.run()
        states = Counter[str]()
        for account in network.accounts():
            states[account.status.value] += 1
            expected = records_in_network(network, account.did) if account.is_active else {}
            assert records_in_warehouse(postgres_url, account.did) == expected
        assert set(states) > {"active"}
        assert all(backfill.checks.values())
        for (asset, _), metadata in backfill.metadata.items():
            if asset not in {"load_epoch", "warehouse_indexes"}:
                assert {"dagster/row_count", "seconds"} <= metadata.keys(), asset
                assert any(name.endswith("_per_second") for name in metadata), asset
        with psycopg.connect(postgres_url) as connection:
            held = dict(connection.execute("SELECT status, count(*) FROM repo GROUP BY 1").fetchall())
            audits = [
                one for page in all_repositories(connection, shard=None) for one in audit_repositories(connection, page)
            ]
        assert held == states
        assert len(audits) == states["active"]
        assert all(audit.is_exact for audit in audits)


def test_the_accounts_of_each_shard_close(postgres_url: str, tmp_path: Path) -> None:
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        network.set_fault(0, Fault(FaultKind.WRONG_SIGNATURE, share=0.3))
        network.set_fault(1, Fault(FaultKind.INVALID_RECORD, share=0.5))
        backfill.run()
        with psycopg.connect(postgres_url) as connection:
            for shard in backfill.shards:
                entries = backfill.metadata["record_batches", shard]["entries"]
                assert entries == rows_of_shard(connection, shard) + quarantined_of_shard(connection, shard)
                assert entries == backfill.metadata["warehouse_tables", shard]["entries"]
            assert connection.execute("SELECT count(*) FROM quarantine").fetchone() != (0,)
            assert connection.execute("SELECT count(*) FROM record WHERE reason IS NOT NULL").fetchone() != (0,)


def rows_of_shard(connection: psycopg.Connection, shard: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {} t JOIN repo r USING (actor_id) WHERE r.shard = %s")
    counts = [
        connection.execute(query.format(sql.Identifier(table.table)), (shard,)).fetchone() for table in TABLES.values()
    ]
    return sum(count[0] for count in counts if count)


def quarantined_of_shard(connection: psycopg.Connection, shard: str) -> int:
    row = connection.execute("SELECT coalesce(sum(records), 0) FROM quarantine WHERE shard = %s", (shard,)).fetchone()
    return int(row[0]) if row else 0


def test_a_second_run_fetches_nothing_and_changes_nothing(postgres_url: str, tmp_path: Path) -> None:
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.run()
        first = comparable_tables(postgres_url)
        asked = [network.requests(host.number)["com.atproto.sync.getRepo"] for host in network.hosts]
        backfill.run()
        assert comparable_tables(postgres_url) == first
        assert [network.requests(host.number)["com.atproto.sync.getRepo"] for host in network.hosts] == asked
        assert all(metadata["loaded_before"] for metadata in backfill.of("warehouse_tables"))
        assert all(metadata["reused"] for metadata in backfill.of("record_batches"))


@pytest.mark.parametrize(
    "kind", [FaultKind.CAR_TRUNCATED, FaultKind.FLIPPED_BYTE, FaultKind.RESET, FaultKind.HTTP_ERROR]
)
def test_a_mended_host_gives_the_same_tables_as_a_sound_one(
    kind: FaultKind, postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    migrate(empty_postgres_url)
    with running_devnet(NETWORK) as network:
        with backfill_of(network, empty_postgres_url, tmp_path / "sound") as sound:
            sound.run()
        with backfill_of(network, postgres_url, tmp_path / "sick") as sick:
            sick.plan()
            fault = Fault(kind, share=0.4, method="com.atproto.sync.getRepo")
            network.set_fault(0, fault)
            failed = [
                shard
                for shard in sick.shards
                if not sick.materialize("fetched_repos", partition=shard, raises=False).success
            ]
            assert failed
            assert set(failed) < set(sick.shards)
            network.clear_faults()
            sick.take_in(sick.shards)
            sick.finish()
        assert comparable_tables(postgres_url) == comparable_tables(empty_postgres_url)


def test_a_wrongly_signed_repository_is_set_aside_whole_with_its_reason(postgres_url: str, tmp_path: Path) -> None:
    fault = Fault(FaultKind.WRONG_SIGNATURE, share=0.3)
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        network.set_fault(0, fault)
        backfill.run()
        struck = {account.did for account in network.struck(0, fault) if account.is_active}
        with psycopg.connect(postgres_url) as connection:
            aside = dict(connection.execute("SELECT did, reason FROM quarantine").fetchall())
        assert aside == dict.fromkeys(struck, "signature-invalid")
        assert struck
        assert all(records_in_warehouse(postgres_url, did) == {} for did in struck)


def test_a_block_that_strict_decoders_refuse_never_costs_the_rest(postgres_url: str, tmp_path: Path) -> None:
    fault = Fault(FaultKind.REFUSED_BLOCK, share=0.5)
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        network.set_fault(0, fault)
        backfill.run()
        struck = [account.did for account in network.struck(0, fault) if account.is_active]
        assert struck
        with psycopg.connect(postgres_url) as connection:
            for did in struck:
                actor = read_key_space(connection).actor_id(did)
                refused = "SELECT reason, raw FROM record WHERE actor_id = %s AND reason IS NOT NULL"
                [(reason, raw)] = connection.execute(refused, (actor,)).fetchall()
                assert reason.startswith("cbor-")
                [audit] = audit_repositories(connection, [actor])
                assert audit.is_exact
                assert cid_of(raw) in {cid_of(block) for block in records_in_warehouse(postgres_url, did).values()}


def test_an_account_on_two_hosts_is_taken_from_the_one_that_its_document_names(
    postgres_url: str, tmp_path: Path
) -> None:
    config = DevnetConfig(
        repos=48, hosts=4, seed=7, mean_records=20, faults=((1, Fault(FaultKind.TWO_HOSTS, share=0.5)),)
    )
    with running_devnet(config) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.run()
        assert backfill.metadata["shard_plan", None]["listed_twice"] > 0
        hosts = {host.number: host.hostname for host in network.hosts}
        with psycopg.connect(postgres_url) as connection:
            held = dict(
                connection.execute("SELECT a.did, r.host FROM repo r JOIN actor a ON a.id = r.actor_id").fetchall()
            )
        assert held == {account.did: hosts[account.host] for account in network.accounts()}


def test_counts_equal_a_recount_of_the_rows(postgres_url: str, tmp_path: Path) -> None:
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.run()
        with psycopg.connect(postgres_url) as connection:
            likes = connection.execute(
                'SELECT subject_actor, subject_rkey, count(DISTINCT actor_id) FROM "like"'
                " WHERE subject_collection = 1 GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()
            counted = connection.execute(
                "SELECT actor_id, rkey, likes FROM post_counts WHERE likes > 0 ORDER BY 1, 2"
            ).fetchall()
            followers = connection.execute(
                "SELECT subject_actor, count(DISTINCT actor_id) FROM follow GROUP BY 1 ORDER BY 1"
            ).fetchall()
            counted_followers = connection.execute(
                "SELECT actor_id, followers FROM actor_counts WHERE followers > 0 ORDER BY 1"
            ).fetchall()
        assert likes
        assert counted == likes
        assert counted_followers == followers
