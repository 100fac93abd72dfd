"""`zeppelin firehose`: relays followed by a process of their own, as Dagster's runs would."""

import asyncio
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from zeppelin_pipeline.deployment.firehose import Firehose
from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.firehose.cursors import StreamName, set_cursor
from zeppelin_pipeline.firehose.network_clock import NOTABLE_SECONDS
from zeppelin_pipeline.firehose.rates import Rates
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.firehose.stream import ENDPOINT
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.signals import set_on_signals
from zeppelin_pipeline.stack.lake import open_lake
from zeppelin_pipeline.warehouse.connection import connect

NOW: Final = "now"
#: A consumer that is ending, in another process, is waited for.
_PATIENCE_SECONDS: Final = 30.0


def run_firehose(settings: Settings, console: Console) -> None:
    """Follow every relay of the settings until SIGTERM or SIGINT; what was received by then is applied.

    Raises:
        ConfigurationError: another consumer follows one of them.
        ZeppelinError: what ended one of them.
    """
    open_lake(settings)  # once for all relays
    asyncio.run(_follow_all([stream_settings(settings, relay) for relay in settings.followed_relays], console))


def set_cursors(settings: Settings, cursor: str) -> None:
    """Have the relays' streams go on behind a number, or at their present (`now`).

    Raises:
        ConfigurationError: it is no number.
    """
    if cursor != NOW and not cursor.isdecimal():
        raise ConfigurationError(f"a cursor is a number or {NOW!r}, not {cursor!r}")
    with connect(settings.require_postgres_url(), application="zeppelin firehose", autocommit=True) as connection:
        for relay in settings.followed_relays:
            set_cursor(connection, StreamName(relay, ENDPOINT), None if cursor == NOW else int(cursor))


def stream_settings(settings: Settings, relay: str) -> FirehoseSettings:
    """What the consumer of a relay needs to know, by the settings of a deployment."""
    lake = Lake(settings.lake_url, settings.lake_options)
    return Firehose.of(settings).settings(
        relay, settings.require_postgres_url(), lake, Network.of(settings), settings.plc_fresh_seconds
    )


async def _follow_all(streams: Sequence[FirehoseSettings], console: Console) -> None:
    until = set_on_signals()
    try:
        async with asyncio.TaskGroup() as group:
            for stream in streams:
                group.create_task(_follow_one(stream, until, console))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def _follow_one(stream: FirehoseSettings, until: asyncio.Event, console: Console) -> None:
    console.print(f"following {stream.relay}", highlight=False)

    def report(rates: Rates) -> None:
        console.print(f"{stream.relay}: {describe(rates)}", highlight=False, soft_wrap=True)

    if not await follow(stream, until, report, patience_seconds=_PATIENCE_SECONDS) and not until.is_set():
        raise ConfigurationError(f"another consumer follows {stream.relay}: a run of Dagster, or another `firehose`")


def describe(rates: Rates) -> str:
    """A report in a line."""
    lag = "no event yet" if rates.lag_seconds is None else f"{rates.lag_seconds:,.2f} s behind"
    parts = [f"cursor {rates.cursor}", f"{rates.events_per_second:,.0f} events a second", lag]
    if rates.is_spooling:
        parts.append("waiting for the indexes")
    if rates.refused:
        parts.append(f"{sum(rates.refused.values()):,} refused")
    if rates.gaps:
        parts.append(f"{rates.gaps} gaps")
    if rates.clock_behind_seconds > NOTABLE_SECONDS:
        parts.append(f"OUR CLOCK IS {rates.clock_behind_seconds:,.0f} s BEHIND the network's: set it")
    return ", ".join(parts)
