"""What was set aside by a validator that was wrong comes to its place when it is mended."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from tests.backfill import QUIET, Backfill
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.records.registry import FAMILIES
from zeppelin_pipeline.repos import extract_rows, replay
from zeppelin_pipeline.repos.compaction import CompactionSettings, compact_lake
from zeppelin_pipeline.repos.replay import ReplayRequest, replay_records
from zeppelin_pipeline.repos.replay_repositories import replay_repositories
from zeppelin_pipeline.repos.stale import read_stale
from zeppelin_pipeline.stack.status import status_json
from zeppelin_pipeline.stack.tally import read_status
from zeppelin_pipeline.warehouse.migrations import migrate

NETWORK = DevnetConfig(repos=30, hosts=2, seed=19, mean_records=30)
LIKE, FOLLOW, POST = "app.bsky.feed.like", "app.bsky.graph.follow", "app.bsky.feed.post"


@contextmanager
def backfill_of(network: DevnetHandle, url: str, home: Path) -> Generator[Backfill]:
    fix_hash_key(url)
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        yield Backfill(network_settings(home, url, network.relay_url, network.plc_url), instance)


def refusing(family: Any, reason: str) -> Any:
    """The family, with a validator that refuses a third of its records."""

    def read(record: dict[str, Any], block: bytes) -> tuple[Any, ...]:
        if block[-1] % 3 == 0:
            raise InvalidDataError(reason, "by mistake")
        return family.read(record, block)

    return replace(family, read=read, compiled=None)


def test_records_of_a_mended_validator_are_where_a_clean_load_puts_them(
    postgres_url: str, empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty_postgres_url)
    monkeypatch.setattr(replay, "PAGE_RECORDS", 7)
    with running_devnet(NETWORK) as network:
        with backfill_of(network, empty_postgres_url, tmp_path / "clean") as clean:
            clean.run()
        with monkeypatch.context() as patch, backfill_of(network, postgres_url, tmp_path / "wrong") as wrong:
            for nsid in (LIKE, FOLLOW, POST):
                patch.setitem(FAMILIES, nsid, refusing(FAMILIES[nsid], "wrongly-refused"))
            wrong.run()
            shard = wrong.shards[0]
            wrong.materialize("quarantine")
            assert "wrongly-refused" in wrong.metadata["quarantine", None]["by_reason_and_host"]
            assert shard in wrong.metadata["quarantine", None]["by_shard"]
    status = read_status(postgres_url)
    refused = sum(one.entries for one in status.set_aside if one.reason == "wrongly-refused")
    assert refused > 20
    assert {one.example.split("/")[0] for one in status.set_aside} == {"at:"}
    assert '"reason": "wrongly-refused"' in status_json(status, 1)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        before = comparable_tables(postgres_url)
        dry = replay_records(connection, ReplayRequest(is_dry_run=True))
        assert comparable_tables(postgres_url) == before
        assert replay_records(connection, ReplayRequest(reason="another")).moved == {}
        some = replay_records(connection, ReplayRequest(shard=shard))
        rest = replay_records(connection, ReplayRequest(reason="wrongly-refused"))
        assert dry.moved == some.moved + rest.moved == {"wrongly-refused": refused}
        marked = connection.execute("SELECT count(*) FROM dirty_range").fetchone()
    assert marked is not None
    assert marked[0] > 0
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        Backfill(wrong.settings, instance).finish()
    assert comparable_tables(postgres_url) == comparable_tables(empty_postgres_url)


def test_repositories_of_a_mended_verification_are_extracted_from_their_packs(
    postgres_url: str, empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty_postgres_url)
    with running_devnet(NETWORK) as network:
        with backfill_of(network, empty_postgres_url, tmp_path / "clean") as clean:
            clean.run()
        with backfill_of(network, postgres_url, tmp_path / "wrong") as wrong:
            wrong.plan()
            refused = refuse_some(monkeypatch)
            wrong.take_in(wrong.shards)
            monkeypatch.undo()
    lake = Lake(wrong.settings.lake_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        assert sum(replay_repositories(connection, lake, ReplayRequest(is_dry_run=True)).loaded.values()) == len(
            refused
        )
        result = replay_repositories(connection, lake, ReplayRequest())
        assert result.loaded == {"signature-invalid": len(refused)}
        assert replay_repositories(connection, lake, ReplayRequest()).loaded == {}
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        Backfill(wrong.settings, instance).finish()
    assert comparable_tables(postgres_url) == comparable_tables(empty_postgres_url)


def test_repositories_whose_cars_are_gone_are_put_on_the_list_of_stale_ones(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_devnet(NETWORK) as network, backfill_of(network, postgres_url, tmp_path) as backfill:
        backfill.plan()
        refused = refuse_some(monkeypatch)
        shards = backfill.shards
        backfill.take_in(shards)
        monkeypatch.undo()
    lake = Lake(backfill.settings.lake_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        compact_lake(connection, lake, CompactionSettings(keep_cars=timedelta(0)))
        assert sum(replay_repositories(connection, lake, ReplayRequest()).stale.values()) == len(refused)
    assert {row.did for shard in shards for row in read_stale(lake, shard)} == refused


def refuse_some(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Has extraction refuse every fourth repository; gives the set that their DIDs will be put into."""
    refused: set[str] = set()
    verify: Callable[..., Any] = extract_rows.verify_repository

    def verify_wrongly(car: Any, document: Any, *rest: Any) -> Any:
        if sum(document.did.encode()) % 4 == 0:
            refused.add(document.did)
            raise InvalidDataError("signature-invalid", "by mistake")
        return verify(car, document, *rest)

    monkeypatch.setattr(extract_rows, "verify_repository", verify_wrongly)
    return refused
