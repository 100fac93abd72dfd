"""What is derived from the warehouse's rows, one key range in one transaction: broken gates, and counts."""

import time
import warnings
from collections.abc import Sequence
from typing import Any, Final

import dagster as dg

from zeppelin_pipeline.aggregates.counts import AGGREGATES, RANGES_OF_A_RUN, VIOLATIONS, RangeResult, recompute_ranges
from zeppelin_pipeline.defs.assets.warehouse import load_epoch, warehouse_indexes
from zeppelin_pipeline.defs.metadata import markdown_table, rate
from zeppelin_pipeline.defs.partitions import KEY_RANGES
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.warehouse.search_tables import NAME_SEARCH, POST_SEARCH, SEARCH_TABLES

GROUP = "counts"
NO_DRIFT: Final = "no_drift"
#: Each line is a row of Dagster's log: of small ranges, one each would cost more than the counting.
TELLING_SECONDS: Final = 10.0

_DESCRIPTIONS: Final = {
    VIOLATIONS: "Replies and quotes that break a threadgate or a postgate, or stand in a thread that is not theirs.",
    "post_counts": "Likes, reposts, replies and quotes of each post.",
    "actor_counts": "Followers, follows and posts of each account.",
    "record_counts": "Likes of feed generators and other records, members of lists, who joined by starter packs.",
    POST_SEARCH: "By which words posts are found. Optional: kept up to date once it was materialized.",
    NAME_SEARCH: "By which words accounts, feed generators and starter packs are found. Optional likewise.",
}
#: Replies that break a gate are not counted, and names are ranked by counts: found first where both are asked for.
_AFTER: Final = {"post_counts": (VIOLATIONS,), NAME_SEARCH: ("actor_counts", "record_counts")}
_CHECKED: Final = frozenset(AGGREGATES) - {VIOLATIONS}


def _counts_asset(name: str) -> dg.AssetsDefinition:
    """One derived table: partitioned by key range; a run may span many ranges."""

    @dg.asset(
        name=name,
        description=_DESCRIPTIONS[name],
        group_name=GROUP,
        partitions_def=KEY_RANGES,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=RANGES_OF_A_RUN),
        deps=[load_epoch, warehouse_indexes, *_AFTER.get(name, ())],
        kinds={"postgres"},
        owners=["team:zeppelin"],
        retry_policy=RETRIES,
        check_specs=[_drift_spec(name)] if name in _CHECKED else [],
    )
    def counts(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # pyright: ignore[reportMissingTypeArgument] - with checks Dagster takes the bare name only
        results: list[RangeResult] = []
        told_at = time.monotonic()
        with warehouse.connect(name) as connection:
            for result in recompute_ranges(connection, name, context.partition_keys):
                results.append(result)
                if time.monotonic() - told_at > TELLING_SECONDS:
                    told_at = time.monotonic()
                    context.log.info("%d of %d ranges", len(results), len(context.partition_keys))
        return dg.MaterializeResult(
            metadata=_metadata(results), check_results=[_check_drift(results)] if name in _CHECKED else []
        )

    return counts


def _drift_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        NO_DRIFT,
        asset=asset,
        description="Counts that no load had marked as out of date are what a count of the rows gives.",
    )


def _check_drift(results: Sequence[RangeResult]) -> dg.AssetCheckResult:
    """Warns of counts that were off though they should have been right."""
    drifted = [result for result in results if result.is_drift]
    return dg.AssetCheckResult(
        check_name=NO_DRIFT,
        passed=not drifted,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "ranges": len(results),
            "ranges_expected_right": sum(result.was_current for result in results),
            "drifted_rows": sum(result.drifted for result in drifted),
            "drifted_ranges": markdown_table(
                ["range", "rows", "off"], [(result.key_range, result.rows, result.drifted) for result in drifted]
            ),
        },
    )


def _metadata(results: Sequence[RangeResult]) -> dict[str, Any]:
    seconds = sum(result.seconds for result in results)
    base_rows = sum(result.base_rows for result in results)
    return {
        "dagster/row_count": sum(result.rows for result in results),
        "changed": sum(result.drifted for result in results),
        "base_rows": base_rows,
        "seconds": round(seconds, 3),
        "base_rows_per_second": rate(base_rows, seconds),
    }


with warnings.catch_warnings():
    # Every process that loads these definitions would otherwise say that backfill policies are in beta.
    warnings.simplefilter("ignore", dg.BetaWarning)
    violations, post_counts, actor_counts, record_counts = map(_counts_asset, AGGREGATES)
    post_search, name_search = map(_counts_asset, SEARCH_TABLES)
DERIVED: Final = (violations, post_counts, actor_counts, record_counts)
#: Optional: materialized by whoever wants search.
SEARCH: Final = (post_search, name_search)
