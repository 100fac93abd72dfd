"""Who accounts are: the PLC directory's operations, verified, and handles that hold."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from zeppelin_pipeline.defs.metadata import counts_table, rate
from zeppelin_pipeline.defs.partitions import PLC_WINDOWS
from zeppelin_pipeline.defs.resources import IdentityResource, LakeResource, NetworkResource, Warehouse
from zeppelin_pipeline.hosts.host import parse_host
from zeppelin_pipeline.identity.handle_queue import HandlesResult, verify_due
from zeppelin_pipeline.identity.plc_export import MAX_PAGE_BYTES, PAGE_OPERATIONS
from zeppelin_pipeline.identity.plc_follow import WindowResult, follow_window
from zeppelin_pipeline.identity.refresh import RefreshResult, refresh_due
from zeppelin_pipeline.identity.windows import window_key

GROUP = "identity"
_VERIFY = "operations_verify"


@dg.asset(
    group_name=GROUP,
    partitions_def=PLC_WINDOWS,
    kinds={"parquet", "postgres"},
    owners=["team:zeppelin"],
    check_specs=[
        dg.AssetCheckSpec(
            _VERIFY,
            asset="plc_operations",
            description="Every operation of the window continues its account's log by a key that may.",
        )
    ],
)
def plc_operations(
    context: dg.AssetExecutionContext,
    network: NetworkResource,
    identity: IdentityResource,
    lake: dg.ResourceParam[LakeResource],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult:  # pyright: ignore[reportMissingTypeArgument] - with checks Dagster takes the bare name only
    """A window of the PLC directory's export: kept, each operation verified, the identities brought up to date.

    The open window is continued from where it was; when it is complete the next one becomes a partition.
    """
    result = asyncio.run(_follow(context, network, identity, lake, warehouse))
    if result.is_complete:
        context.instance.add_dynamic_partitions(str(PLC_WINDOWS.name), [window_key(result.window + 1)])
    return dg.MaterializeResult(
        metadata=_window_metadata(result),
        check_results=[
            dg.AssetCheckResult(
                check_name=_VERIFY,
                passed=not result.rejected,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"rejected": result.rejected, "rejected_now": counts_table("reason", result.reasons)},
            )
        ],
    )


@dg.asset(group_name=GROUP, deps=[plc_operations], kinds={"postgres"}, owners=["team:zeppelin"])
def verified_handles(
    context: dg.AssetExecutionContext,
    network: NetworkResource,
    identity: IdentityResource,
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """Accounts of which an event told are resolved anew; then handles that are due are verified both ways."""
    refreshed, handles = asyncio.run(_verify(context, network, identity, warehouse))
    return dg.MaterializeResult(metadata=_handles_metadata(refreshed, handles))


async def _follow(
    context: dg.AssetExecutionContext,
    network: NetworkResource,
    identity: IdentityResource,
    lake: LakeResource,
    warehouse: Warehouse,
) -> WindowResult:
    async with network.clients() as clients:
        client = clients.client(parse_host(network.plc_url))

        async def get_page(after: str | None) -> bytes:
            parameters = {"count": PAGE_OPERATIONS} | ({} if after is None else {"after": after})
            return await client.get_bytes("/export", parameters, max_bytes=MAX_PAGE_BYTES)

        with warehouse.connect("plc_operations") as connection:
            return await follow_window(
                connection,
                lake.open(),
                network.plc_url,
                get_page,
                int(context.partition_key),
                identity.follow_settings(),
                report=lambda operations: context.log.info("%d operations in the window", operations),
            )


async def _verify(
    context: dg.AssetExecutionContext, network: NetworkResource, identity: IdentityResource, warehouse: Warehouse
) -> tuple[RefreshResult, HandlesResult]:
    async with network.clients() as patient, network.impatient_clients() as impatient:
        with warehouse.connect("verified_handles") as connection:
            refreshed = await refresh_due(connection, network.resolver(patient))
            handles = await verify_due(
                connection,
                identity.handle_resolver(network, impatient),
                identity.queue_settings(),
                report=lambda checked: context.log.info("%d handles looked at", checked),
            )
    return refreshed, handles


def _window_metadata(result: WindowResult) -> dict[str, Any]:
    lag_seconds = (datetime.now(UTC) - result.last_at).total_seconds() if result.last_at else 0.0
    return {
        "dagster/row_count": result.operations,
        "added": result.added,
        "recovered": result.recovered,
        "rejected": result.rejected,
        "complete": result.is_complete,
        "last_operation": result.last_at.isoformat() if result.last_at else "none",
        "seconds_since_last_operation": round(lag_seconds, 1),
        "seconds": round(result.seconds, 2),
        "operations_per_second": rate(result.added, result.seconds),
        "operations_verified_per_cpu_second": rate(result.added, result.verify_seconds),
    }


def _handles_metadata(refreshed: RefreshResult, handles: HandlesResult) -> dict[str, Any]:
    return {
        "dagster/row_count": sum(handles.states.values()),
        "verified": handles.states.get("verified", 0),
        "invalid": handles.states.get("invalid", 0),
        "pending": handles.states.get("pending", 0),
        "due": handles.due,
        "checked": handles.checked,
        "deferred": handles.deferred,
        "dispossessed": handles.dispossessed,
        "refreshed": refreshed.refreshed,
        "gone": refreshed.gone,
        "refresh_waiting": refreshed.waiting,
        "seconds": round(handles.seconds, 2),
        "handles_per_second": rate(handles.checked, handles.seconds),
        "verdicts": counts_table("state", handles.verdicts),
        "reasons": counts_table("reason", handles.reasons),
        "refresh_failures": counts_table("reason", refreshed.failed + refreshed.refused),
    }
