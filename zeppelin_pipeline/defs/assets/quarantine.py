"""What was set aside in the whole warehouse, for a person to look at; `zeppelin replay` judges it again after a fix."""

import time
from typing import Any

import dagster as dg

from zeppelin_pipeline.defs.metadata import counts_table, markdown_table
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.warehouse.quarantine import read_set_aside, read_set_aside_by_shard


@dg.asset(
    group_name="warehouse",
    deps=["warehouse_tables"],
    kinds={"postgres"},
    owners=["team:zeppelin"],
    retry_policy=RETRIES,
)
def quarantine(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[Any]:
    """Records and repositories that were set aside, with their reasons: by host, each with an example, and by shard."""
    started = time.monotonic()
    with warehouse.connect("quarantine") as connection:
        found = read_set_aside(connection)
        shards = read_set_aside_by_shard(connection)
    by_reason: dict[str, int] = {}
    for one in found:
        by_reason[one.reason] = by_reason.get(one.reason, 0) + one.entries
    rows = [(one.reason, one.host, one.scope, one.shards, one.items, one.entries, one.example) for one in found]
    header = ["reason", "host", "scope", "shards", "items", "entries", "example"]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(one.entries for one in found),
            "by_reason": counts_table("reason", by_reason),
            "by_reason_and_host": markdown_table(header, rows),
            "by_shard": markdown_table(["shard", "entries", "reasons"], shards),
            "seconds": round(time.monotonic() - started, 2),
        }
    )
