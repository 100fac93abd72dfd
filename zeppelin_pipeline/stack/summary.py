"""What the operator reads at the end of a backfill, and from `zeppelin status`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from zeppelin_pipeline.firehose.status import StreamStatus
from zeppelin_pipeline.stack.backfill import SHARD_ASSETS, BackfillReport, describe_failures
from zeppelin_pipeline.stack.dagster_client import DagsterClient
from zeppelin_pipeline.stack.running import RunningStack
from zeppelin_pipeline.stack.tally import Status, best_known_account, read_status

LONGEST_LIST: Final = 6
ROW_COUNT: Final = "dagster/row_count"


def print_summary(console: Console, stack: RunningStack, report: BackfillReport) -> None:
    """What was done, in a short table, and what failed."""
    status = read_status(stack.settings.require_postgres_url())
    table = _two_columns("What is in the warehouse")
    for name, value in (*_contents(status), *_rates(stack.dagster), *_whole(status, report)):
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
    console.print(f"\nDagster   {stack.dagster_url}", f"API       {stack.api_url}/docs", sep="\n", highlight=False)
    did = best_known_account(stack.settings.require_postgres_url())
    if did is not None:
        requests = (f"app.bsky.actor.getProfile?actor={did}", f"app.bsky.feed.getAuthorFeed?actor={did}&limit=5")
        for request in requests:
            console.print(f"curl '{api}/{request}'", highlight=False, markup=False, soft_wrap=True)


def print_status(console: Console, status: Status, planned_shards: int) -> None:
    """All counts of the warehouse."""
    table = _two_columns("Warehouse")
    table.add_row("shards", f"{status.tally.shards:,} loaded of {planned_shards:,} planned")
    for name, value in _contents(status):
        table.add_row(name, value)
    table.add_row("rows by table", _listed(status.rows, limit=None))
    table.add_row("rejected by reason", _listed(status.rejected, limit=None))
    table.add_row("bytes a record", _bytes_a_record(status))
    table.add_row("waiting to leave the lake", _removals(status))
    for name, value in _live(status):
        table.add_row(name, value)
    if status.labels.get("labelers"):
        table.add_row("labels", _listed(status.labels))
    console.print(table)
    if status.set_aside:
        console.print(_set_aside_table(status))


def status_json(status: Status, planned_shards: int) -> str:
    """The same as one JSON object."""
    return orjson.dumps(
        {"planned_shards": planned_shards} | asdict(status), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    ).decode()


def _removals(status: Status) -> str:
    if status.oldest_removal is None:
        return "nothing"
    return f"{status.lake_removals:,} accounts, the oldest since {status.oldest_removal:%Y-%m-%d %H:%M} UTC"


def _set_aside_table(status: Status) -> Table:
    table = Table("reason", "host", "what", "shards", "entries", "example", title="Set aside", title_justify="left")
    for one in status.set_aside:
        what = f"{one.items:,} {one.scope}s"
        table.add_row(one.reason, one.host, what, f"{one.shards:,}", f"{one.entries:,}", one.example)
    return table


def _contents(status: Status) -> Sequence[tuple[str, str]]:
    return (
        ("hosts", _listed(status.hosts)),
        ("repositories", _listed(status.repositories)),
        ("records", f"{status.tally.entries:,}"),
        ("rejected", f"{sum(status.rejected.values()):,}"),
    )


def _live(status: Status) -> Sequence[tuple[str, str]]:
    """Each relay that is followed, and what waits to be fetched again."""
    resyncs = status.resyncs
    queue = f"{resyncs.waiting:,} repositories, {resyncs.due:,} due now, {resyncs.failing:,} that failed before"
    streams = [(f"live: {stream.relay}", _stream(stream)) for stream in status.streams]
    return [*streams, ("to be fetched again", queue)] if streams else ()


def _stream(stream: StreamStatus) -> str:
    lag = "no event yet" if stream.lag_seconds is None else f"{stream.lag_seconds:,.2f} s behind"
    lines = [
        f"cursor {stream.seq}, {lag}, moved {stream.updated_at:%Y-%m-%d %H:%M:%S %Z}",
        f"{stream.events:,} events, {stream.rejected:,} refused",
        f"{stream.gaps:,} gaps, {stream.open_gaps:,} open",
    ]
    return "\n".join([*lines, f"{stream.waiting:,} events wait for the indexes"] if stream.waiting else lines)


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
        ("bytes a record", _bytes_a_record(status)),
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


def _bytes_a_record(status: Status) -> str:
    entries = status.tally.entries
    return f"{status.bytes_stored / entries:,.0f}" if entries else "none yet"


def _listed(counts: dict[str, int], limit: int | None = LONGEST_LIST) -> str:
    shown = [f"{count:,} {name}" for name, count in list(counts.items())[:limit]]
    rest = len(counts) - len(shown)
    return "\n".join([*shown, f"and {rest} more kinds"] if rest else shown) or "none"


def _two_columns(title: str) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    return table
