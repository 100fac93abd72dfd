"""What is made of the warehouse once shards are in it: indexes, and the epoch that counts hang behind."""

from typing import Any

import dagster as dg

from zeppelin_pipeline.defs.audit_check import audit_check_spec, audit_sample
from zeppelin_pipeline.defs.metadata import markdown_table
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.warehouse.duplicates import DuplicateKeysError
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
        try:
            indexes = build_indexes(
                connection,
                limits=warehouse.build_limits,
                report=lambda index: context.log.info("%s on %s stands", index.name, index.table),
                watch=lambda index: context.log.info("%s: %s, %.0f %%", index.name, index.phase, 100 * index.done),
            )
        except DuplicateKeysError as error:
            raise _prevented(error) from error
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


def _prevented(error: DuplicateKeysError) -> dg.Failure:
    rows = [
        (one.table, one.index, one.keys, one.rows, ", ".join(named.key for named in one.named))
        for one in error.duplicates
    ]
    table = markdown_table(["table", "index", "keys held more than once", "their rows", "the first of them"], rows)
    return dg.Failure(str(error), metadata={"duplicates": table}, allow_retries=False)


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
