"""The queries of docs/lake.md over a lake that the pipeline made."""

from collections import Counter
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest

from tests.backfill import QUIET, Backfill
from tests.lake_examples import run_lake_example
from tests.pipeline.tables import network_settings
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.devnet.background import running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig

NETWORK = DevnetConfig(repos=16, hosts=2, seed=29, mean_records=40)


def test_polars_and_duckdb_find_the_most_liked_accounts(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    likes: Counter[str] = Counter()
    with running_devnet(NETWORK) as network, dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        settings = network_settings(tmp_path / ".zeppelin", postgres_url, network.relay_url, network.plc_url)
        backfill = Backfill(settings, instance)
        backfill.plan()
        for shard in backfill.shards:
            backfill.materialize("fetched_repos", "record_batches", partition=shard)
        for account in network.accounts():
            for record in network.records_of(account.did) if account.is_active else []:
                if record.collection == "app.bsky.feed.like":
                    like = cast("dict[str, Any]", dag_cbor.decode(record.block))
                    likes[like["subject"]["uri"].split("/")[2]] += 1
    monkeypatch.chdir(tmp_path)
    most = sorted(likes.values(), reverse=True)[:10]
    for library in ("polars", "duckdb"):
        found = run_lake_example(library)
        assert [count for _, count in found] == most
        assert all(likes[did] == count for did, count in found)
