"""The lake on an S3 server, by settings alone: the whole way, publication, and locks between machines."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pyarrow as pa
import pytest

from tests.backfill import QUIET, Backfill
from tests.fakes.s3_server import S3Server, running_s3_server
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.devnet.background import running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake.locks import Lease
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.audit import all_repositories, audit_repositories
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.migrations import migrate

NETWORK = DevnetConfig(repos=24, hosts=2, seed=5, mean_records=40)
TABLE = pa.table({"n": [1, 2, 3]})


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3_server() as server:
        yield server


def test_the_whole_way_on_s3_gives_the_tables_of_a_local_lake(
    s3: S3Server, postgres_url: str, empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty_postgres_url)
    with running_devnet(NETWORK) as network:
        for url, home in ((postgres_url, tmp_path / "s3"), (empty_postgres_url, tmp_path / "local")):
            fix_hash_key(url)
            settings = network_settings(home, url, network.relay_url, network.plc_url)
            if home.name == "s3":
                settings = settings.model_copy(update={"lake_url": s3.url, "lake_options": s3.options})
                for name, value in settings.environment().items():
                    monkeypatch.setenv(name, value)
                assert Settings.load() == settings
            with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
                backfill = Backfill(settings, instance)
                backfill.run()
                backfill.run()
                assert all(metadata["loaded_before"] for metadata in backfill.of("warehouse_tables"))
    assert comparable_tables(postgres_url) == comparable_tables(empty_postgres_url)
    with psycopg.connect(postgres_url) as connection:
        audits = [
            audit for page in all_repositories(connection, shard=None) for audit in audit_repositories(connection, page)
        ]
    assert audits
    assert all(audit.is_exact for audit in audits)
    assert not (tmp_path / "s3" / "lake").exists()


def test_of_two_writers_of_a_new_file_one_wins(s3: S3Server) -> None:
    lake = Lake(s3.url, s3.options)
    lake.write_table("shards/a~00000.parquet", TABLE, is_new=True)
    with pytest.raises(FileExistsError):
        lake.write_table("shards/a~00000.parquet", TABLE.slice(1), is_new=True)
    with lake.open_parquet("shards/a~00000.parquet") as file:
        assert file.metadata.num_rows == 3


def test_nothing_is_seen_of_a_file_before_its_commit(s3: S3Server) -> None:
    lake = Lake(s3.url, s3.options)
    with lake.open_writer("half/a.parquet", TABLE.schema) as writer:
        writer.write_table(TABLE)
        assert lake.list("half") == []
    assert lake.list("half") == []


def test_a_folder_is_one_processs_and_free_after_it(s3: S3Server) -> None:
    lake = Lake(s3.url, s3.options)
    with (
        Lake(s3.url, s3.options).lock("shards"),
        pytest.raises(CorruptStateError, match="another"),
        lake.lock("shards"),
    ):
        pass
    with lake.lock("shards"):
        assert not lake.list("shards") or all(path.endswith(".parquet") for path in lake.list("shards"))


def lease(s3: S3Server, seconds: float) -> Lease:
    return Lease(Lake(s3.url, s3.options)._fs, "lake", "zeppelin/_locks/taken", seconds=seconds)  # pyright: ignore[reportArgumentType]


def test_the_lock_of_a_killed_process_is_taken_over_when_its_lease_is_out(s3: S3Server) -> None:
    program = textwrap.dedent(f"""
        import time
        from zeppelin_pipeline.lake.locks import Lease
        from zeppelin_pipeline.lake.store import Lake
        with Lease(Lake({s3.url!r}, {s3.options!r})._fs, "lake", "zeppelin/_locks/taken", seconds=2).held():
            print("held", flush=True)
            time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CorruptStateError, match="another process holds"), lease(s3, 2).held():
            pass
        holder.kill()
    started = time.monotonic()
    with lease(s3, 2).held():
        assert 1 < time.monotonic() - started < 30


def test_who_lost_the_lock_is_told(s3: S3Server) -> None:
    first = lease(s3, 1)
    first._renewal_seconds = 600  # as of a process that stood still
    with pytest.raises(CorruptStateError, match="was lost"), first.held():
        take_and_release(lease(s3, 1))


def take_and_release(other: Lease) -> None:
    with other.held():
        pass
