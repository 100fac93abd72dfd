"""Repositories that changed since they were fetched: found here, fetched again by the shards' own assets."""

import time
from typing import Any, Final

import dagster as dg

from zeppelin_pipeline.defs.assets.network import repo_listing
from zeppelin_pipeline.defs.assets.shards import GROUP, Refetch, fetched_repos, record_batches, warehouse_tables
from zeppelin_pipeline.defs.metadata import counts_table, markdown_table, rate
from zeppelin_pipeline.defs.resources import LakeResource, ShardResource, Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.repos.stale import find_stale

_SHOWN: Final = 50

#: Run config of `refetch` for the stale repositories of a shard.
REFETCH_STALE: Final = {"ops": {"fetched_repos": {"config": {"refetch": Refetch.STALE.name}}}}

refetch = dg.define_asset_job(
    "refetch",
    selection=[fetched_repos, record_batches, warehouse_tables],
    config=REFETCH_STALE,
    description="Fetch a shard's stale repositories again, and reconcile the lake and the warehouse with them.",
)


@dg.asset(
    group_name=GROUP,
    deps=[repo_listing, warehouse_tables],
    kinds={"parquet", "postgres"},
    owners=["team:zeppelin"],
    retry_policy=RETRIES,
    pool="shard_plan",
)
def stale_repos(
    lake: dg.ResourceParam[LakeResource], warehouse: dg.ResourceParam[Warehouse], shards: ShardResource
) -> dg.MaterializeResult[Any]:
    """Repositories that are to be fetched again, by shard: their rev moved, their status changed, or a look is due."""
    started = time.monotonic()
    with warehouse.connect("stale_repos") as connection:
        result = find_stale(connection, lake.open(), shards.stale_settings())
    seconds = time.monotonic() - started
    most = sorted(result.by_shard.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": result.chosen,
            "found": result.found,
            "left_for_later": result.found - result.chosen,
            "compared": result.listed,
            "shards": len(result.by_shard),
            "behind": sum(result.behind.values()),
            "behind_by_host": counts_table("host", result.behind),
            "by_reason": counts_table("reason", result.by_reason),
            "by_shard": markdown_table(["shard", "stale"], most),
            "seconds": round(seconds, 2),
            "repositories_per_second": rate(result.listed, seconds),
        }
    )
