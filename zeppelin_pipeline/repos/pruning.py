"""Files of the lake that nobody counts any more: old listings, batches without a marker, leftovers of killed runs."""

from collections import defaultdict
from dataclasses import dataclass

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.listing import complete_passes


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: pages of old listings, orphaned batches, and unfinished temporary files."""

    listing_pages: int
    batches: int
    temporary: int


def prune_lake(lake: Lake) -> Pruned:
    """Removes listings older than each host's newest complete one, orphaned batches, and old temporary files."""
    return Pruned(_prune_listings(lake), _prune_batches(lake), len(lake.sweep()))


def _prune_listings(lake: Lake) -> int:
    pruned = 0
    for each in complete_passes(lake):
        for name in lake.folders(layout.listing_host(each.host.key)):
            if int(name) < each.pass_number:
                for path in lake.list(layout.listing_pass(each.host.key, int(name))):
                    lake.delete(path)
                    pruned += 1
    return pruned


def _prune_batches(lake: Lake) -> int:
    """A shard's files are looked at under its lock: those of a running extraction are no orphans."""
    by_segment: defaultdict[str, list[str]] = defaultdict(list)
    for path in lake.list(layout.BATCHES):
        segment = layout.batch_segment(path)
        if segment is not None:
            by_segment[segment].append(path)
    pruned = 0
    for segment, paths in by_segment.items():
        if set(paths) <= _named(lake, segment):
            continue
        try:
            with lake.lock(layout.segment_pack(segment)):
                for path in sorted(set(paths) - _named(lake, segment)):
                    lake.delete(path)
                    pruned += 1
        except CorruptStateError:  # at work on it now: the next pruning looks again
            continue
    return pruned


def _named(lake: Lake, segment: str) -> set[str]:
    """The files that count."""
    path = layout.segment_ledger(segment)
    if not lake.exists(path):
        return set()
    with lake.open_parquet(path) as file:
        return set(file.read(["path"])["path"].to_pylist())
