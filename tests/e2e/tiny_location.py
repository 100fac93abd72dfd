"""A code location of three assets, for the tests of the client: nothing of the network, all in a moment.

The asset `doubled` fails in a partition for as long as a file of its name lies in the folder TINY_FAULTS.
"""

import os
from pathlib import Path
from typing import Any

import dagster as dg

SHARDS = dg.DynamicPartitionsDefinition(name="tiny_shards")
RANGES = dg.StaticPartitionsDefinition(["00", "01", "02"])


class Planned(dg.Config):
    """What `planned` adds."""

    count: int


@dg.asset
def planned(context: dg.AssetExecutionContext, config: Planned) -> dg.MaterializeResult[Any]:
    """Adds partitions, as a listing does."""
    context.instance.add_dynamic_partitions("tiny_shards", [f"pds.test~{n:05}" for n in range(config.count)])
    return dg.MaterializeResult(metadata={"shards": config.count, "ratio": 0.5, "note": "planned", "whole": True})


@dg.asset(partitions_def=SHARDS, deps=[planned])
def doubled(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Fails where it is told to."""
    if (Path(os.environ["TINY_FAULTS"]) / context.partition_key).exists():
        raise dg.Failure(f"the host of {context.partition_key} is broken", allow_retries=False)
    return dg.MaterializeResult(metadata={"dagster/row_count": 2})


@dg.asset(partitions_def=SHARDS, deps=[doubled])
def loaded() -> dg.MaterializeResult[Any]:
    """Follows `doubled` in the same run."""
    return dg.MaterializeResult(metadata={"dagster/row_count": 2})


@dg.asset(partitions_def=RANGES, backfill_policy=dg.BackfillPolicy.single_run())
def counted(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Takes a range of partitions in one run."""
    return dg.MaterializeResult(metadata={"ranges": len(context.partition_keys)})


@dg.asset
def endless() -> None:
    """Runs until it is stopped."""
    import time  # noqa: PLC0415 - only here

    time.sleep(600)


defs = dg.Definitions(assets=[planned, doubled, loaded, counted, endless], executor=dg.in_process_executor)
