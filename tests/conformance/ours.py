"""Our platform over the official network's hosts: backfilled, then kept up by the firehose, then served by our API."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psycopg

from tests.api_server import serving
from tests.backfill import QUIET, Backfill
from tests.conformance.appview import LIKE_OFFICIAL, Addresses
from zeppelin_api.app import create_app
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.aggregates.counts import recompute
from zeppelin_pipeline.firehose.cursors import set_cursor
from zeppelin_pipeline.firehose.service import FirehoseSettings, follow
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.firehose import stream_settings
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges
from zeppelin_pipeline.warehouse.migrations import migrate

LIVE_SECONDS = 600.0
LOOK_SECONDS = 0.1
#: Answers are compared here and not timed, and the machine may be busy.
PATIENCE_SECONDS = 30.0


def settings_for(addresses: Addresses, postgres_url: str, home: Path) -> Settings:
    """The hosts are known by hand, and say themselves whose their handles are."""
    resolvers = [f"{domain}={addresses.pds_urls[name]}" for name, domain in addresses.handle_domains.items()]
    return Settings.load(
        home=home,
        postgres_url=postgres_url,
        hosts=tuple(addresses.pds_urls.values()),
        relay_urls=(),
        plc_url=addresses.plc_url,
        allow_private_hosts=True,
        handle_resolvers=(*resolvers, f"test={addresses.pds_urls['alpha']}"),
    )


@contextmanager
def backfilled(settings: Settings) -> Generator[Backfill]:
    """The hosts' contents taken in, identities included; raises AssertionError when a check failed."""
    migrate(settings.require_postgres_url())
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        backfill = Backfill(settings, instance)
        backfill.run()
        backfill.take_in_identities()
        assert all(backfill.checks.values()), backfill.checks
        yield backfill


def begin_streams(settings: Settings, addresses: Addresses, heads: Mapping[str, int]) -> None:
    """Has the streams of the hosts begin after what the backfill takes in."""
    with psycopg.connect(settings.require_postgres_url()) as connection:
        for name, seq in heads.items():
            set_cursor(connection, _stream(settings, addresses.pds_urls[name]).stream, seq)


def take_in_live(backfill: Backfill, addresses: Addresses, heads: Mapping[str, int]) -> None:
    """Follows the hosts' streams up to their last events, then brings identities and counts up to date."""
    settings = backfill.settings
    for name, seq in heads.items():
        asyncio.run(_follow_to(_stream(settings, addresses.pds_urls[name]), seq))
    backfill.materialize("verified_handles")
    with psycopg.connect(settings.require_postgres_url(), autocommit=True) as connection:
        for dirty in list_dirty_ranges(connection):
            recompute(connection, dirty.aggregate, dirty.key_range)


def _stream(settings: Settings, host_url: str) -> FirehoseSettings:
    return replace(stream_settings(settings, host_url), verifiers=1)


async def _follow_to(settings: FirehoseSettings, seq: int) -> None:
    until = asyncio.Event()
    following = asyncio.create_task(follow(settings, until))
    try:
        async with asyncio.timeout(LIVE_SECONDS):
            while not following.done() and _cursor_of(settings) < seq:  # noqa: ASYNC110 - another task writes it
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        until.set()
        assert await following, "nobody else follows"


def _cursor_of(settings: FirehoseSettings) -> int:
    with psycopg.connect(settings.postgres_url) as connection:
        row = connection.execute("SELECT seq FROM stream WHERE relay = %s", (settings.relay,)).fetchone()
    return row[0] or 0 if row else 0


@contextmanager
def running_api(postgres_url: str, plc_url: str) -> Generator[str]:
    """Our API over a warehouse, as strict as the official AppView; gives its URL."""
    settings = ApiSettings.model_validate(
        {
            "postgres_url": postgres_url,
            **LIKE_OFFICIAL,
            "plc_url": plc_url,
            "allow_private_hosts": True,
            "pool_timeout_seconds": PATIENCE_SECONDS,
            "statement_timeout_seconds": PATIENCE_SECONDS,
        }
    )
    with serving(create_app(settings)) as url:
        yield url
