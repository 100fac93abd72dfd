"""The lake made smaller: what left the network leaves the files, within the time that a setting states."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from zeppelin_pipeline.defs.metadata import counts_table, markdown_table
from zeppelin_pipeline.defs.resources import LakeResource, ShardResource, Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.repos.compaction import CompactionResult, compact_lake
from zeppelin_pipeline.repos.pruning import prune_lake

_IN_TIME: Final = "deletions_leave_in_time"
_SHOWN: Final = 50
_SECONDS_AN_HOUR: Final = 3600.0


@dg.asset(
    group_name="lake",
    deps=["warehouse_tables"],
    kinds={"parquet"},
    owners=["team:zeppelin"],
    retry_policy=RETRIES,
    pool="lake_compaction",
    check_specs=[
        dg.AssetCheckSpec(
            _IN_TIME,
            asset="lake_compaction",
            description="Data of accounts that are hidden or gone leaves the lake within ZEPPELIN_LAKE_REMOVAL_HOURS.",
        )
    ],
)
def lake_compaction(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[LakeResource],
    warehouse: dg.ResourceParam[Warehouse],
    shards: ShardResource,
) -> dg.MaterializeResult:  # pyright: ignore[reportMissingTypeArgument] - with checks Dagster takes the bare name only
    """Data of deleted and hidden accounts, CARs past their time, old listings and orphaned files leave the lake."""
    with warehouse.connect("lake_compaction") as connection:
        result = compact_lake(
            connection,
            lake.open(),
            shards.compaction_settings(),
            report=lambda shard: context.log.info("%s is rewritten", shard),
        )
    pruned = prune_lake(lake.open())
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": result.removed.total(),
            "removed_by_status": counts_table("status", result.removed),
            "shards": result.shards,
            "parts": result.parts,
            "bytes_freed": result.bytes_freed,
            "waiting": result.waiting,
            "oldest_waiting_hours": round(_hours(result), 1),
            "postponed": markdown_table(["shard"], [(one,) for one in result.postponed[:_SHOWN]]),
            "listing_pages_pruned": pruned.listing_pages,
            "batches_pruned": pruned.batches,
            "temporary_files_pruned": pruned.temporary,
            "seconds": round(result.seconds, 2),
        },
        check_results=[_check(result, shards.lake_removal_hours)],
    )


def _check(result: CompactionResult, hours: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=_IN_TIME,
        passed=_hours(result) <= hours,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"waiting": result.waiting, "oldest_waiting_hours": round(_hours(result), 1), "stated_hours": hours},
    )


def _hours(result: CompactionResult) -> float:
    """How long the oldest deletion waits; 0 when none does."""
    if result.oldest is None:
        return 0.0
    return (datetime.now(UTC) - result.oldest).total_seconds() / _SECONDS_AN_HOUR
