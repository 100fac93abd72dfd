"""The asset that builds the indexes, in a Dagster instance of its own."""

import dagster as dg
import psycopg
import pytest

from tests.fakes.batches import random_shard
from zeppelin_pipeline.defs import audit_check
from zeppelin_pipeline.defs.assets.warehouse import warehouse_indexes
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.repos.audit import Audit
from zeppelin_pipeline.warehouse.indexes import declared_indexes, has_all_indexes
from zeppelin_pipeline.warehouse.load import load_shard


def test_what_prevents_an_index_is_in_the_runs_metadata_and_the_next_run_builds_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = Audit("did:plc:one", "3jzfcijpj2z2a", 1, 1, is_exact=True, detail="")
    monkeypatch.setattr(audit_check, "audit_repositories", lambda *_: [exact])  # the commits are made up
    resources = {"warehouse": Warehouse(postgres_url)}
    with dg.DagsterInstance.ephemeral() as instance, psycopg.connect(postgres_url, autocommit=True) as connection:
        load_shard(connection, random_shard(1).batches())
        connection.execute("INSERT INTO block SELECT * FROM block ORDER BY rkey LIMIT 1")
        failed = dg.materialize([warehouse_indexes], resources=resources, instance=instance, raise_on_error=False)
        [event] = [one for one in failed.all_events if one.is_step_failure]
        failure = event.step_failure_data.user_failure_data
        assert failure is not None
        assert "block_key" in str(failure.metadata["duplicates"].value)
        assert "app.bsky.graph.block/" in str(failure.metadata["duplicates"].value)
        connection.execute("DELETE FROM block WHERE ctid = (SELECT max(ctid) FROM block)")
        mended = dg.materialize([warehouse_indexes], resources=resources, instance=instance)
        [found] = mended.asset_materializations_for_node("warehouse_indexes")
        assert (found.metadata["indexes"].value, found.metadata["built"].value) == (len(declared_indexes()), 1)
        assert has_all_indexes(connection)
