"""Identities of a whole network: the directory's export mirrored, handles verified, renamed accounts followed."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg

from tests.api_client import running_api
from tests.backfill import QUIET, Backfill
from tests.pipeline.tables import network_settings
from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.identity_sensors import follow_plc, open_window, verify_due_handles
from zeppelin_pipeline.defs.partitions import PLC_WINDOWS
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.identity.store import refresh_identity
from zeppelin_pipeline.identity.windows import window_key
from zeppelin_pipeline.repos.audit import all_repositories, audit_repositories
from zeppelin_pipeline.stack.ports import free_port

NETWORK = DevnetConfig(repos=60, hosts=3, seed=11, mean_records=3)
FIRST = window_key(0)


@contextmanager
def backfill_of(network: DevnetHandle, postgres_url: str, home: Path) -> Generator[Backfill]:
    settings = network_settings(home, postgres_url, network.relay_url, network.plc_url)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        instance.add_dynamic_partitions(str(PLC_WINDOWS.name), [FIRST])
        yield Backfill(settings.model_copy(update={"dns_servers": (network.dns,)}), instance)


def handles(url: str) -> dict[str, tuple[str, str]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT did, handle, handle_state FROM identity JOIN actor ON id = actor_id"
        ).fetchall()
        return {did: (handle, state) for did, handle, state in rows}


def test_every_account_of_the_directory_has_its_key_and_a_verified_handle(postgres_url: str, tmp_path: Path):
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.materialize("plc_operations", partition=FIRST)
        backfill.materialize("verified_handles")
        expected = {account.did: (account.handle, "verified") for account in network.accounts()}
        assert handles(postgres_url) == expected
        with psycopg.connect(postgres_url) as connection:
            keys = dict(
                connection.execute("SELECT did, signing_key FROM identity JOIN actor ON id = actor_id").fetchall()
            )
        assert keys == {did: network.signing_key_of(did).to_multibase() for did in expected}
        [operations] = backfill.of("plc_operations")
        assert operations["rejected"] == 0
        assert operations["dagster/row_count"] >= 2 * len(expected)
        assert backfill.checks["operations_verify", FIRST]


def test_a_renamed_account_is_found_by_the_export_and_by_an_event(postgres_url: str, tmp_path: Path):
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.materialize("plc_operations", partition=FIRST)
        backfill.materialize("verified_handles")
        by_export, by_event, *_ = [account.did for account in network.accounts()]
        renamed = network.rename(by_export)
        backfill.materialize("plc_operations", partition=FIRST)
        assert handles(postgres_url)[by_export] == (renamed, "pending")
        told = network.rename(by_event)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            refresh_identity(connection, by_event)
        backfill.materialize("verified_handles")
        assert handles(postgres_url)[by_export] == (renamed, "verified")
        assert handles(postgres_url)[by_event] == (told, "verified")


def test_what_the_key_of_its_time_signed_is_held_and_what_no_key_of_then_did_is_not(postgres_url: str, tmp_path: Path):
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        silent, writing, *_ = [each.did for each in network.accounts() if each.is_active and not each.former_host]
        current = {did: network.change_key(did) for did in (silent, writing)}
        network.write(writing, [])  # by the old key still, after it was lost
        backfill.take_in_identities()
        backfill.plan()
        backfill.take_in(backfill.shards)
        with psycopg.connect(postgres_url) as connection:
            rows = connection.execute(
                "SELECT did, state, reason, records, signing_key FROM repo JOIN actor ON id = repo.actor_id"
                " JOIN identity USING (actor_id) WHERE did = ANY(%s)", (list(current),)
            ).fetchall()  # fmt: skip
        assert {did: rest for did, *rest in rows} == {
            silent: ["synchronized", "former-key", len(network.records_of(silent)), current[silent]],
            writing: ["invalid", "signature-invalid", 0, current[writing]],
        }


def test_the_sensors_ask_for_the_open_window_and_for_handles_that_are_due(postgres_url: str, tmp_path: Path):
    assert open_window([]) == FIRST
    assert open_window([FIRST, window_key(1)]) == window_key(1)
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        resources = build_resources(backfill.settings)
        with dg.build_sensor_context(backfill.instance) as context:
            asked = follow_plc(context)
        assert isinstance(asked, dg.SensorResult)
        assert [request.partition_key for request in asked.run_requests or []] == [FIRST]
        with dg.build_sensor_context(backfill.instance, resources={"warehouse": resources["warehouse"]}) as context:
            assert isinstance(verify_due_handles(context), dg.SkipReason)
            backfill.materialize("plc_operations", partition=FIRST)
            assert isinstance(verify_due_handles(context), dg.RunRequest)
            backfill.materialize("verified_handles")
            assert isinstance(verify_due_handles(context), dg.SkipReason)


async def test_accounts_of_did_web_go_the_whole_way_and_what_a_load_leaves_out_is_asked_for(
    postgres_url: str, tmp_path: Path
):
    ports = (free_port(), free_port())
    config = DevnetConfig(repos=6, hosts=2, seed=5, mean_records=6, inactive_share=0.0, web_ports=ports)
    with running_devnet(config) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        web = {account.did: account.handle for account in network.accounts() if account.is_web}
        assert len(web) == len(ports)
        await asyncio.to_thread(backfill.run)
        with psycopg.connect(postgres_url) as connection:
            waiting = connection.execute("SELECT did FROM identity_refresh").fetchall()
            states = connection.execute("SELECT did, state FROM repo JOIN actor ON id = actor_id").fetchall()
            audits = [
                audit
                for page in all_repositories(connection, shard=None)
                for audit in audit_repositories(connection, page)
            ]
        assert {did for (did,) in waiting} == set(web)
        assert dict(states) == {account.did: "synchronized" for account in network.accounts()}
        assert {audit.did for audit in audits if audit.is_exact} == {account.did for account in network.accounts()}
        await asyncio.to_thread(backfill.materialize, "plc_operations", partition=FIRST)
        await asyncio.to_thread(backfill.materialize, "verified_handles")
        assert handles(postgres_url) == {each.did: (each.handle, "verified") for each in network.accounts()}
        with psycopg.connect(postgres_url) as connection:
            assert connection.execute("SELECT count(*) FROM identity_refresh").fetchone() == (0,)
        await asyncio.to_thread(backfill.materialize, "pds_list")
        with psycopg.connect(postgres_url) as connection:
            witnesses = dict(connection.execute("SELECT host, witnesses FROM pds_host").fetchall())
        assert {host for host, names in witnesses.items() if "documents" in names} == {
            host.hostname for host in network.hosts
        }
    async with running_api(postgres_url) as api:
        for did, handle in web.items():
            assert (await api.get("app.bsky.actor.getProfile", actor=handle))["did"] == did
            identity = await api.get("com.atproto.identity.resolveIdentity", identifier=did)
            assert (identity["handle"], identity["didDoc"]["id"]) == (handle, did)
