"""What people see of the definitions before anything has run."""

from collections.abc import Iterator

import dagster as dg
import pytest

from zeppelin_pipeline.defs.code_location import build_definitions
from zeppelin_pipeline.settings import Settings


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build_definitions(Settings.load()).get_repository_def()


def described(repository: dg.RepositoryDefinition) -> Iterator[tuple[str, str | None]]:
    nodes = repository.asset_graph
    for key in nodes.get_all_asset_keys():
        yield key.to_user_string(), nodes.get(key).description
    for check in nodes.asset_check_keys:
        yield check.to_user_string(), nodes.get(check).description
    for automation in (*repository.sensor_defs, *repository.schedule_defs):
        yield automation.name, automation.description
    for job in repository.get_all_jobs():
        if not job.name.startswith("__"):  # Dagster's own, of all assets
            yield job.name, job.description


def test_everything_in_the_pages_says_what_it_is(repository: dg.RepositoryDefinition) -> None:
    texts = dict(described(repository))
    assert {"repo_listing", "keep_firehose", "counts_nightly", "recount", "warehouse_tables:accounts_close"} <= set(
        texts
    )
    assert [name for name, text in texts.items() if not (text or "").rstrip().endswith(".")] == []


def test_a_check_of_a_shard_is_judged_by_the_shards_own_load(repository: dg.RepositoryDefinition) -> None:
    nodes = repository.asset_graph
    of_shards = [key for key in nodes.asset_check_keys if key.asset_key == dg.AssetKey("warehouse_tables")]
    assert of_shards
    assert all(nodes.get(key).partitions_def == nodes.get(key.asset_key).partitions_def for key in of_shards)
