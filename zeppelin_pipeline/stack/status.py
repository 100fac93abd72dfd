"""What `zeppelin status` shows of the warehouse; the summary of a backfill shares its words."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from zeppelin_pipeline.firehose.status import StreamStatus
from zeppelin_pipeline.stack.tally import Status

LONGEST_LIST: Final = 6
#: After so long it is told that nothing comes.
SILENCE_SECONDS: Final = 10.0


def print_status(console: Console, status: Status, planned_shards: int) -> None:
    """All counts of the warehouse."""
    table = two_columns("Warehouse")
    table.add_row("shards", f"{status.tally.shards:,} loaded of {planned_shards:,} planned")
    for name, value in contents(status):
        table.add_row(name, value)
    table.add_row("rows by table", _listed(status.rows, limit=None))
    table.add_row("rejected by reason", _listed(status.rejected, limit=None))
    table.add_row("bytes a record", bytes_a_record(status))
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


def contents(status: Status) -> Sequence[tuple[str, str]]:
    """Hosts, repositories and records in short."""
    return (
        ("hosts", _listed(status.hosts)),
        ("repositories", _listed(status.repositories)),
        ("records", f"{status.tally.entries:,}"),
        ("rejected", f"{sum(status.rejected.values()):,}"),
    )


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


def _live(status: Status) -> Sequence[tuple[str, str]]:
    """Each relay that is followed, and what waits to be fetched again."""
    resyncs = status.resyncs
    queue = f"{resyncs.waiting:,} repositories, {resyncs.due:,} due now, {resyncs.failing:,} that failed before"
    streams = [(f"live: {stream.relay}", _stream(stream)) for stream in status.streams]
    return [*streams, ("to be fetched again", queue)] if streams else ()


def _stream(stream: StreamStatus) -> str:
    lag = "no event yet" if stream.event_at is None else f"{stream.lag_seconds:,.2f} s behind"
    silence = f", nothing for {stream.silent_seconds:,.0f} s" if stream.silent_seconds > SILENCE_SECONDS else ""
    lines = [
        f"cursor {stream.seq}, {lag}{silence}, moved {stream.updated_at:%Y-%m-%d %H:%M:%S %Z}",
        f"{stream.events:,} events, {stream.rejected:,} refused",
        f"{stream.gaps:,} gaps, {stream.open_gaps:,} open",
    ]
    return "\n".join([*lines, f"{stream.waiting:,} events wait for the indexes"] if stream.waiting else lines)


def bytes_a_record(status: Status) -> str:
    """What a record takes in the warehouse."""
    entries = status.tally.entries
    return f"{status.bytes_stored / entries:,.0f}" if entries else "none yet"


def _listed(counts: dict[str, int], limit: int | None = LONGEST_LIST) -> str:
    shown = [f"{count:,} {name}" for name, count in list(counts.items())[:limit]]
    rest = len(counts) - len(shown)
    return "\n".join([*shown, f"and {rest} more kinds"] if rest else shown) or "none"


def two_columns(title: str) -> Table:
    """An empty table of names and values."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    return table
