"""A shard on its way: fetched repositories, record batches, warehouse tables. One partition is one shard."""

import asyncio
from enum import Enum
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from zeppelin_pipeline.defs.assets.network import shard_plan
from zeppelin_pipeline.defs.audit_check import accounts_check_spec, audit_check_spec, audit_sample, check_accounts
from zeppelin_pipeline.defs.metadata import counts_table, rate
from zeppelin_pipeline.defs.partitions import REPO_SHARDS
from zeppelin_pipeline.defs.resources import IdentityResource, LakeResource, NetworkResource, ShardResource, Warehouse
from zeppelin_pipeline.defs.retries import RETRIES
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.fetch import FetchResult, fetch_shard
from zeppelin_pipeline.repos.load import batch_bytes, load_shard_batches
from zeppelin_pipeline.repos.refetch import everybody, refetch_shard

GROUP = "repositories"
LOADER_POOL = "pg_loader"


class Refetch(Enum):
    """Which repositories of the shard a fetch asks for."""

    MISSING = "missing"
    STALE = "stale"
    DIDS = "dids"
    ALL = "all"


class FetchConfig(dg.Config):
    """What the launchpad offers for a fetch."""

    refetch: Refetch = Field(
        Refetch.MISSING,
        description="missing: what the pack lacks; stale: what `stale_repos` found; dids: accounts given below; all.",
    )
    dids: list[str] = Field([], description="With `refetch: DIDS`: accounts of the shard to be fetched again.")

    tolerate_failed: float | None = Field(
        None, ge=0, le=1, description="Fraction of the shard's repositories that may fail. Default: the setting's."
    )


@dg.asset(group_name=GROUP, partitions_def=REPO_SHARDS, deps=[shard_plan], kinds={"parquet"}, owners=["team:zeppelin"])
def fetched_repos(
    context: dg.AssetExecutionContext,
    config: FetchConfig,
    network: NetworkResource,
    identity: IdentityResource,
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[LakeResource],
    shards: ShardResource,
) -> dg.MaterializeResult[Any]:
    """The shard's repositories, each with its outcome and its DID document. Only what the pack lacks is fetched.

    With `refetch` the config asks for some again: of these all may fail, as the outcomes that are held still stand.
    """
    result = asyncio.run(_fetch(context, config, network, identity, warehouse, lake, shards))
    metadata = _fetch_metadata(result) | {"refetch": config.refetch.value}
    default = shards.tolerate_failed if config.refetch is Refetch.MISSING else 1.0
    tolerated = default if config.tolerate_failed is None else config.tolerate_failed
    if result.failed_fraction > tolerated:
        raise dg.Failure(
            f"{result.failed_repos} of {result.repos} repositories could not be fetched;"
            " the others are kept, and a retry asks for these alone",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    group_name=GROUP, partitions_def=REPO_SHARDS, deps=[fetched_repos], kinds={"parquet"}, owners=["team:zeppelin"]
)
def record_batches(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource], shards: ShardResource
) -> dg.MaterializeResult[Any]:
    """The shard's records as rows, one dataset a collection; hashes, MST and signatures checked, faults set aside."""
    result = extract_shard(
        lake.open(),
        context.partition_key,
        progress=lambda repos, entries: context.log.info("%d repositories, %d records", repos, entries),
        limits=shards.extract_limits(),
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(rows for name, rows in result.rows.items() if name not in {"repo", "rejected"}),
            "entries": result.entries,
            "rejected": sum(result.rejected.values()),
            "input_bytes": result.input_bytes,
            "output_bytes": result.output_bytes,
            "seconds": result.seconds,
            "records_per_second": rate(result.entries, result.seconds),
            "reused": result.is_reused,
            "rows_by_dataset": counts_table("dataset", result.rows),
            "rejected_by_reason": counts_table("reason", result.rejected),
            "repositories_by_state": counts_table("state", result.states),
            "fingerprint": result.fingerprint,
        }
    )


class LoadConfig(dg.Config):
    """What the launchpad offers for a load."""

    anew: bool = Field(False, description="Compare all repositories with the batches, whatever the ledger says.")


@dg.asset(
    group_name=GROUP,
    partitions_def=REPO_SHARDS,
    deps=[record_batches],
    kinds={"postgres"},
    owners=["team:zeppelin"],
    pool=LOADER_POOL,
    retry_policy=RETRIES,
    check_specs=[
        accounts_check_spec("warehouse_tables", REPO_SHARDS),
        audit_check_spec("warehouse_tables", REPO_SHARDS),
    ],
)
def warehouse_tables(
    context: dg.AssetExecutionContext,
    config: LoadConfig,
    lake: dg.ResourceParam[LakeResource],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult:  # pyright: ignore[reportMissingTypeArgument] - with checks Dagster takes the bare name only
    """The shard's rows in Postgres: one transaction with its row in the ledger, never twice."""
    shard = context.partition_key
    with warehouse.connect(f"load {shard}") as connection:
        result = load_shard_batches(
            connection,
            lake.open(),
            shard,
            anew=config.anew,
            report=lambda table, rows: context.log.info("%s: %d rows", table, rows),
        )
        checks = [check_accounts(connection, result), audit_sample(connection, shard)]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(result.rows.values()),
            "created": result.changes.created,
            "updated": result.changes.updated,
            "deleted": result.changes.deleted,
            "unchanged": result.changes.unchanged,
            "entries": result.entries,
            "quarantined": result.quarantined,
            "rejected": sum(result.rejected.values()),
            "bytes": batch_bytes(lake.open(), shard),
            "seconds": round(result.seconds, 3),
            "records_per_second": rate(result.copied, result.seconds),
            "loaded_before": result.is_skipped,
            "rows_by_table": counts_table("table", result.rows),
            "rejected_by_reason": counts_table("reason", result.rejected),
            "fingerprint": result.fingerprint,
        },
        check_results=checks,
    )


async def _fetch(
    context: dg.AssetExecutionContext,
    config: FetchConfig,
    network: NetworkResource,
    identity: IdentityResource,
    warehouse: Warehouse,
    lake: LakeResource,
    shards: ShardResource,
) -> FetchResult:
    fetch = fetch_shard
    if config.refetch is not Refetch.MISSING:
        given = {
            Refetch.STALE: None,
            Refetch.DIDS: config.dids,
            Refetch.ALL: everybody(lake.open(), context.partition_key),
        }
        fetch = partial(refetch_shard, dids=given[config.refetch])
    async with (
        network.clients() as clients,
        warehouse.mirror(f"fetch {context.partition_key}", identity.plc_fresh_seconds) as mirror,
    ):
        return await fetch(
            lake.open(),
            context.partition_key,
            clients,
            network.resolver(clients, mirror),
            shards.fetch_settings(),
            progress=lambda done, total, size: context.log.info("%d of %d repositories, %d bytes", done, total, size),
        )


def _fetch_metadata(result: FetchResult) -> dict[str, Any]:
    outcomes = {"fetched": result.fetched, "fetched before": result.settled_before}
    return {
        "dagster/row_count": result.repos,
        "bytes": result.downloaded_bytes,
        "failed": result.failed_repos,
        "seconds": round(result.seconds, 2),
        "repositories_per_second": round(result.repos_per_second, 1),
        "bytes_per_second": round(result.bytes_per_second),
        "parts": result.parts,
        "repositories": counts_table("outcome", outcomes | result.absent),
        "failed_by_reason": counts_table("reason", result.failed),
    }
