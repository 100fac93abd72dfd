"""How complete and how fresh the warehouse is: numbers of the whole, read seldom and kept for a while."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from zeppelin_api.db import Database, Session
from zeppelin_api.settings import ApiSettings

#: Tables with a row for each record.
RECORD_TABLES: Final = (
    "like", "repost", "follow", "block", "post", "profile", "list", "list_item", "list_block", "starter_pack",
    "verification", "generator", "labeler", "threadgate", "postgate", "record",
)  # fmt: skip
#: Each is a row of the page and a series of the metrics.
MOST_LABELERS: Final = 200


@dataclass(frozen=True, slots=True)
class StreamOverview:
    """One relay's stream.

    Attributes:
        relay: its URL.
        cursor: the last event that is applied; null before the first.
        events: applied in all.
        event_at: when the last of them was sent; null before the first.
        updated_at: when the cursor moved last.
        lag_seconds: since the last event was sent, or since the stream was first taken: it grows while nothing comes.
        silent_seconds: since the cursor moved.
        gaps: that were found.
        open_gaps: of these, those not yet repaired.
        refused: events that did not verify.
    """

    relay: str
    cursor: int | None
    events: int
    event_at: datetime | None
    updated_at: datetime
    lag_seconds: float
    silent_seconds: float
    gaps: int
    open_gaps: int
    refused: int


@dataclass(frozen=True, slots=True)
class AggregateOverview:
    """One derived table: its ranges, when the oldest was recomputed, and those whose rows have changed since."""

    name: str
    ranges: int
    oldest_at: datetime
    changed_ranges: int


@dataclass(frozen=True, slots=True)
class LabelerOverview:
    """One labeler.

    Attributes:
        did: the account.
        labels: that are held of it, those taken back among them.
        failure: why its stream does not flow; null when it does.
        failed_at: since when.
        looked_at: as of when; null when it was never followed.
    """

    did: str
    labels: int
    failure: str | None
    failed_at: datetime | None
    looked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole in numbers; counts by name, the largest first.

    Attributes:
        read_at: when they were read.
        hosts: by state.
        repositories: by state and reason (`absent, takendown`).
        shards: in the ledger.
        entries: record entries in these shards.
        quarantined: of these, those set aside with their repository.
        records: rows by table, as the server estimates them.
        rejected: entries by the reason for which they were set aside.
        streams: of relays.
        labelers: those that are down first, then those with the most labels; at most `MOST_LABELERS`.
        resyncs: repositories that wait to be fetched again.
        aggregates: derived tables.
    """

    read_at: datetime
    hosts: Mapping[str, int]
    repositories: Mapping[str, int]
    shards: int
    entries: int
    quarantined: int
    records: Mapping[str, int]
    rejected: Mapping[str, int]
    streams: Sequence[StreamOverview]
    labelers: Sequence[LabelerOverview]
    resyncs: int
    aggregates: Sequence[AggregateOverview]


async def read_overview(session: Session, timeout_seconds: float) -> Overview:
    """All numbers, in one snapshot.

    Args:
        session: a connection, which is in a transaction meanwhile.
        timeout_seconds: of each query; they may take longer than those of a request.
    """
    connection = session.connection

    async def ask(query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await session.records(query, **parameters)]

    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("SELECT set_config('statement_timeout', $1, true)", f"{timeout_seconds * 1000:.0f}")
        now = await connection.fetchval("SELECT now()")
        [(shards, entries, quarantined)] = await ask("status_tally")
        return Overview(
            read_at=now,
            hosts=dict(await ask("status_hosts")),
            repositories=dict(await ask("status_repositories")),
            shards=shards,
            entries=entries,
            quarantined=quarantined,
            records=dict(await ask("overview_rows", tables=list(RECORD_TABLES))),
            rejected=dict(await ask("status_rejected")),
            streams=[_stream(row) for row in await ask("stream_summary")],
            labelers=[LabelerOverview(*row) for row in await ask("overview_labelers", limit=MOST_LABELERS)],
            resyncs=(await ask("resync_summary"))[0][0],
            aggregates=[AggregateOverview(*row) for row in await ask("overview_aggregates")],
        )


def _stream(row: Iterable[Any]) -> StreamOverview:
    relay, _, *numbers, _ = row
    return StreamOverview(relay, *numbers)


class OverviewReader:
    """Reads the overview at most once in a while, however many ask for it."""

    def __init__(self, database: Database, settings: ApiSettings) -> None:
        self._database = database
        self._max_age_seconds = settings.overview_seconds
        self._timeout_seconds = settings.overview_timeout_seconds
        self._lock = asyncio.Lock()
        self._held: Overview | None = None
        self._held_until = 0.0

    async def read(self) -> Overview:
        """The overview, at most as old as the settings say; whoever comes while it is read waits for the same one.

        Raises:
            ApiError: or an error of the driver, the warehouse cannot be read.
        """
        async with self._lock:
            if self._held is None or time.monotonic() >= self._held_until:
                async with self._database.session() as session:
                    self._held = await read_overview(session, self._timeout_seconds)
                self._held_until = time.monotonic() + self._max_age_seconds
            return self._held
