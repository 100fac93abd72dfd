"""What the operator reads at the end of a backfill."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from zeppelin_pipeline.stack.backfill import SHARD_ASSETS, BackfillReport, describe_failures
from zeppelin_pipeline.stack.dagster_client import DagsterClient
from zeppelin_pipeline.stack.running import RunningStack
from zeppelin_pipeline.stack.status import bytes_a_record, contents, two_columns
from zeppelin_pipeline.stack.tally import Status, best_known_account, read_status

ROW_COUNT: Final = "dagster/row_count"


def print_summary(console: Console, stack: RunningStack, report: BackfillReport) -> None:
    """What was done, in a short table, and what failed."""
    status = read_status(stack.settings.require_postgres_url())
    table = two_columns("What is in the warehouse")
    for name, value in (*contents(status), *_rates(stack.dagster), *_whole(status, report)):
        table.add_row(name, value)
    console.print(table)
    for line in (
        *describe_failures("the listing of", report.hosts_failed),
        *describe_failures("shard", report.shards_failed),
    ):
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)


def print_addresses(console: Console, stack: RunningStack) -> None:
    """Where to look, and two requests that have an answer."""
    api = f"{stack.api_url}/xrpc"
    console.print()
    for name, place in (
        ("Dagster", stack.dagster_url),
        ("Status", f"{stack.api_url}/"),
        ("API", f"{stack.api_url}/docs"),
        ("Logs", stack.settings.home / "logs"),
        ("Terminal", f"ZEPPELIN_HOME={stack.settings.home} {Path(sys.executable).with_name('zeppelin')} status"),
    ):
        console.print(f"{name:9} {place}", highlight=False, markup=False, soft_wrap=True)
    did = best_known_account(stack.settings.require_postgres_url())
    if did is not None:
        requests = (f"app.bsky.actor.getProfile?actor={did}", f"app.bsky.feed.getAuthorFeed?actor={did}&limit=5")
        for request in requests:
            console.print(f"curl '{api}/{request}'", highlight=False, markup=False, soft_wrap=True)


def _rates(dagster: DagsterClient) -> Sequence[tuple[str, str]]:
    """Amounts a second of each step, one run at a time; the newest materialization of each partition counts."""
    fetched, extracted, loaded = (_sums(dagster, asset) for asset in SHARD_ASSETS)
    return (
        ("fetched", f"{_rate(fetched):,.0f} repositories a second, each run"),
        ("extracted", f"{_rate(extracted):,.0f} records a second, each run"),
        ("loaded", f"{_rate(loaded):,.0f} rows a second, each run"),
    )


def _whole(status: Status, report: BackfillReport) -> Sequence[tuple[str, str]]:
    shards = f"{report.shards:,}"
    if report.shards_before:
        shards += f", of which {report.shards_before:,} were loaded by an earlier run"
    if report.shards_failed:
        shards += f", {len(report.shards_failed):,} failed"
    return (
        ("bytes a record", bytes_a_record(status)),
        ("shards", shards),
        ("time", f"{report.seconds:,.1f} s"),
    )


def _sums(dagster: DagsterClient, asset: str) -> tuple[float, float]:
    """Rows and seconds over all partitions."""
    newest = {one.partition: one.metadata for one in reversed(dagster.materializations(asset))}
    rows = sum(float(metadata.get(ROW_COUNT) or 0) for metadata in newest.values())
    seconds = sum(float(metadata.get("seconds") or 0) for metadata in newest.values())
    return rows, seconds


def _rate(sums: tuple[float, float]) -> float:
    amount, seconds = sums
    return amount / seconds if seconds else 0.0
