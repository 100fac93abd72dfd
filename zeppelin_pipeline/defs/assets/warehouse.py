"""What is made of the warehouse once shards are in it: indexes, the epoch that counts hang behind, and counts."""

from typing import Any

import dagster as dg

from zeppelin_pipeline.aggregates.counts import AGGREGATES, RangeResult, recompute
from zeppelin_pipeline.defs.audit_check import audit_check_spec, audit_sample
from zeppelin_pipeline.defs.metadata import markdown_table, rate
from zeppelin_pipeline.defs.partitions import KEY_RANGES
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.queries import load_queries

GROUP = "warehouse"


@dg.asset(
    group_name=GROUP,
    deps=["warehouse_tables"],
    kinds={"postgres"},
    owners=["team:zeppelin"],
    retry_policy=RETRIES,
    check_specs=[audit_check_spec("warehouse_indexes")],
)
def warehouse_indexes(
    context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult:  # pyright: ignore[reportMissingTypeArgument] - with checks Dagster takes the bare name only
    """Constraints and indexes of `sql/indexes.sql`: what is missing is built, all are verified."""
    with warehouse.connect("warehouse_indexes") as connection:
        indexes = build_indexes(
            connection, report=lambda index: context.log.info("%s on %s stands", index.name, index.table)
        )
        audit = audit_sample(connection)
    built = [index for index in indexes if index.seconds is not None]
    return dg.MaterializeResult(
        metadata={
            "indexes": len(indexes),
            "built": len(built),
            "seconds": round(sum(index.seconds or 0 for index in built), 2),
            "bytes": sum(index.bytes for index in indexes),
            "sizes": markdown_table(
                ["index", "table", "bytes", "seconds"], [(i.name, i.table, i.bytes, i.seconds) for i in indexes]
            ),
        },
        check_results=[audit],
    )


@dg.asset(group_name=GROUP, deps=["warehouse_tables"], kinds={"postgres"}, owners=["team:zeppelin"])
def load_epoch(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[Any]:
    """How much is loaded so far. Counts hang behind this one asset, not behind every shard."""
    with warehouse.connect("load_epoch") as connection:
        row = connection.execute(load_queries()["load_epoch"]).fetchone()
        shards, entries, quarantined, last = row or (0, 0, 0, None)
        sizes = connection.execute(load_queries()["relation_sizes"]).fetchall()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": entries - quarantined,
            "shards": shards,
            "entries": entries,
            "quarantined": quarantined,
            "last_load": last.isoformat() if last else "none",
            "bytes_per_record": round(sum(table + index for _, table, index, _ in sizes) / max(entries, 1), 1),
            "sizes": markdown_table(["table", "table bytes", "index bytes", "rows, about"], [tuple(s) for s in sizes]),
        }
    )


def _counts_asset(name: str, description: str) -> dg.AssetsDefinition:
    """One derived table: partitioned by key range; a run may span many ranges, each a transaction of its own."""

    @dg.asset(
        name=name,
        description=description,
        group_name="counts",
        partitions_def=KEY_RANGES,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=16),
        deps=[load_epoch, warehouse_indexes],
        kinds={"postgres"},
        owners=["team:zeppelin"],
        retry_policy=RETRIES,
    )
    def counts(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[Any]:
        results: list[RangeResult] = []
        with warehouse.connect(name) as connection:
            for key_range in context.partition_keys:
                results.append(recompute(connection, name, key_range))
                context.log.info("range %s: %d rows of %d", key_range, results[-1].rows, results[-1].base_rows)
        seconds = sum(result.seconds for result in results)
        base_rows = sum(result.base_rows for result in results)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(result.rows for result in results),
                "drifted": sum(result.drifted for result in results),
                "base_rows": base_rows,
                "seconds": round(seconds, 3),
                "base_rows_per_second": rate(base_rows, seconds),
            }
        )

    return counts


post_counts = _counts_asset(AGGREGATES[0], "Likes, reposts, replies and quotes of each post.")
actor_counts = _counts_asset(AGGREGATES[1], "Followers, follows and posts of each account.")
