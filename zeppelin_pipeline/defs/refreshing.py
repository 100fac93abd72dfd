"""The sensor that has counts computed anew where rows have changed: a thin shell around `dirty_spans`."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

import dagster as dg

from zeppelin_pipeline.defs.assets.counts import DERIVED, SEARCH
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRange, list_dirty_ranges
from zeppelin_pipeline.warehouse.indexes import has_all_indexes
from zeppelin_pipeline.warehouse.key_ranges import range_names

#: A run starts in 3 seconds and a range takes about one in a small warehouse: this many are worth a run.
RANGES_IN_A_RUN: Final = 16

_RANGE_START: Final = "dagster/asset_partition_range_start"
_RANGE_END: Final = "dagster/asset_partition_range_end"


@dataclass(frozen=True, slots=True)
class DirtySpan:
    """Neighbouring ranges of an aggregate that are to be computed anew, and the oldest of their marks."""

    aggregate: str
    first: str
    last: str
    marked_at: datetime

    @property
    def run_key(self) -> str:
        """The same for as long as the same marks wait."""
        return f"{self.aggregate}-{self.first}-{self.last}-{self.marked_at.isoformat()}"


def dirty_spans(dirty: Iterable[DirtyRange], limit: int = RANGES_IN_A_RUN) -> list[DirtySpan]:
    """Puts neighbouring ranges together, at most `limit` of them."""
    places = {name: place for place, name in enumerate(range_names())}
    ordered = sorted(dirty, key=lambda marked: (marked.aggregate, places[marked.key_range]))
    spans: list[DirtySpan] = []
    # In rising order, neighbours keep their distance to their number.
    numbered = enumerate(ordered)
    for (aggregate, _), group in groupby(
        numbered, key=lambda item: (item[1].aggregate, places[item[1].key_range] - item[0])
    ):
        neighbours = [marked for _, marked in group]
        for start in range(0, len(neighbours), limit):
            part = neighbours[start : start + limit]
            oldest = min(marked.marked_at for marked in part)
            spans.append(DirtySpan(aggregate, part[0].key_range, part[-1].key_range, oldest))
    return spans


@dg.sensor(
    name="refresh_dirty_ranges",
    target=[*DERIVED, *SEARCH],
    minimum_interval_seconds=300,
    description="Recomputes the key ranges whose rows have changed since their counts were computed.",
)
def refresh_dirty_ranges(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> Generator[dg.RunRequest | dg.SkipReason, None, None]:
    """A run for neighbouring ranges of an aggregate, once the indexes stand; the same marks are not asked for twice."""
    with warehouse.connect("refresh_dirty_ranges") as connection:
        is_indexed, dirty = has_all_indexes(connection), list_dirty_ranges(connection)
    if not dirty or not is_indexed:
        yield dg.SkipReason("the indexes are not built yet" if dirty else "every range is up to date")
        return
    context.log.info("%d ranges are to be computed anew", len(dirty))
    for span in dirty_spans(dirty):
        yield dg.RunRequest(
            run_key=span.run_key,
            asset_selection=[dg.AssetKey(span.aggregate)],
            tags={_RANGE_START: span.first, _RANGE_END: span.last},
        )
