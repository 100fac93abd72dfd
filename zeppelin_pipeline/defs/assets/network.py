"""The network as it is found: its hosts, what each lists, and the shards that are planned from it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from zeppelin_pipeline.defs.metadata import markdown_table, rate
from zeppelin_pipeline.defs.partitions import PDS_HOSTS, REPO_SHARDS
from zeppelin_pipeline.defs.resources import IdentityResource, LakeResource, NetworkResource, ShardResource, Warehouse
from zeppelin_pipeline.hosts.directory import PARKED, Directory, find_host, refresh_directory
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.repos.listing import ListingResult, list_host
from zeppelin_pipeline.repos.manifests import list_shards
from zeppelin_pipeline.repos.plan import Plan, current_host, plan_shards
from zeppelin_pipeline.warehouse.pds_hosts import named_hosts, store_hosts

GROUP = "network"


@dg.asset(group_name=GROUP, kinds={"parquet", "postgres"}, owners=["team:zeppelin"])
def pds_list(
    context: dg.AssetExecutionContext,
    network: NetworkResource,
    lake: dg.ResourceParam[LakeResource],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """Which PDS hosts exist, who says so, and which of them answer. Hosts that answer become partitions."""
    started = time.monotonic()
    with warehouse.connect("pds_list") as connection:
        named = named_hosts(connection)
    directory = asyncio.run(_refresh(network, lake, named))
    seconds = time.monotonic() - started
    with warehouse.connect("pds_list") as connection, lake.open().open_parquet(directory.file.path) as snapshot:
        new = store_hosts(connection, snapshot.read())
    context.instance.add_dynamic_partitions(str(PDS_HOSTS.name), [row.host for row in directory.online])
    for witness, failure in directory.failures.items():
        context.log.warning("the witness %s could not be asked: %s", witness, failure)
    parked = [(row.host, row.last_error) for row in directory.rows if row.state == PARKED]
    witnesses = [(name, sum(name in row.witnesses for row in directory.rows)) for name in directory.malformed]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(directory.rows),
            "online": len(directory.online),
            "parked": len(parked),
            "new": new,
            "malformed": sum(directory.malformed.values()),
            "bytes": directory.file.bytes,
            "seconds": round(seconds, 2),
            "hosts_per_second": rate(len(directory.rows), seconds),
            "witnesses": markdown_table(["witness", "hosts"], witnesses),
            "parked_hosts": markdown_table(["host", "last error"], parked[:100]),
            "path": directory.file.path,
        }
    )


async def _refresh(
    network: NetworkResource, lake: dg.ResourceParam[LakeResource], named_hosts: Sequence[str]
) -> Directory:
    async with network.clients() as clients:
        return await refresh_directory(lake.open(), clients, network.witnesses(clients, named_hosts))


class ListingConfig(dg.Config):
    """What the launchpad offers for a listing."""

    reuse_hours: float = Field(0.0, ge=0, description="A complete listing younger than this is not made again.")


@dg.asset(group_name=GROUP, partitions_def=PDS_HOSTS, deps=[pds_list], kinds={"parquet"}, owners=["team:zeppelin"])
def repo_listing(
    context: dg.AssetExecutionContext,
    config: ListingConfig,
    network: NetworkResource,
    lake: dg.ResourceParam[LakeResource],
) -> dg.MaterializeResult[Any]:
    """The repositories of one host, with their revs: each page of `listRepos` durable before the next is asked for."""
    store = lake.open()
    host = find_host(store, context.partition_key)
    result = asyncio.run(_list(context, host, timedelta(hours=config.reuse_hours), network, lake))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": result.repos,
            "bytes": sum(map(store.size, store.list(layout.listing_pass(host.key, result.pass_number)))),
            "pages": result.pages,
            "rejected": result.rejected,
            "pass": result.pass_number,
            "reused": result.is_reused,
            "seconds": round(result.seconds, 2),
            "repositories_per_second": rate(result.repos, result.seconds),
        }
    )


async def _list(
    context: dg.AssetExecutionContext,
    host: Host,
    reuse_for: timedelta,
    network: NetworkResource,
    lake: dg.ResourceParam[LakeResource],
) -> ListingResult:
    async with network.clients() as clients:
        return await list_host(
            clients.client(host),
            lake.open(),
            host,
            reuse_for=reuse_for,
            progress=lambda repos: context.log.info("%s: %d repositories listed", host.key, repos),
        )


@dg.asset(group_name=GROUP, deps=[repo_listing], kinds={"parquet"}, owners=["team:zeppelin"], pool="shard_plan")
def shard_plan(
    context: dg.AssetExecutionContext,
    network: NetworkResource,
    identity: IdentityResource,
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[LakeResource],
    shards: ShardResource,
) -> dg.MaterializeResult[Any]:
    """Every listed account in exactly one shard. Shards become partitions; planned ones never change."""
    started = time.monotonic()
    plan = asyncio.run(_plan(network, identity, warehouse, lake, shards))
    seconds = time.monotonic() - started
    # All, not only the new ones: so a kill between the manifests and the partitions is mended by the next planning.
    keys = list_shards(lake.open())
    context.instance.add_dynamic_partitions(str(REPO_SHARDS.name), keys)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": plan.already_planned + plan.new_repos,
            "shards": len(keys),
            "new_shards": len(plan.new_shards),
            "new_repositories": plan.new_repos,
            "hosts": plan.hosts,
            "planned_before": plan.already_planned,
            "listed_twice": plan.listed_twice,
            "unresolved": plan.unresolved,
            "postponed": plan.postponed,
            "seconds": round(seconds, 2),
            "repositories_per_second": rate(plan.already_planned + plan.new_repos, seconds),
            "new": markdown_table(["shard"], [(key,) for key in plan.new_shards[:200]]),
        }
    )


async def _plan(
    network: NetworkResource,
    identity: IdentityResource,
    warehouse: Warehouse,
    lake: LakeResource,
    shards: ShardResource,
) -> Plan:
    async with network.clients() as clients, warehouse.mirror("plan", identity.plc_fresh_seconds) as mirror:
        return await plan_shards(lake.open(), current_host(network.resolver(clients, mirror)), shards.plan_settings())
