"""What of a shard's batches stands when parts are added to its pack: only the repositories in them are extracted anew.

The rows of all others are copied from the earlier batches, a row group at a time: Parquet is decoded and encoded again,
but no block is hashed, no tree walked, no signature checked, and no CAR is needed that was given up meanwhile.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract_output import ExtractOutput
from zeppelin_pipeline.repos.pack import PartIdentity
from zeppelin_pipeline.warehouse.rows import without

REPO, REJECTED = "repo", "rejected"


@dataclass(slots=True)
class Unchanged:
    """Rows that were copied.

    Attributes:
        rows: by dataset.
        entries: record entries that they account for.
        rejected: of these, those set aside, by reason.
        states: repositories by state.
    """

    rows: dict[str, int] = field(default_factory=dict[str, int])
    entries: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    states: Counter[str] = field(default_factory=Counter[str])

    def add(self, dataset: str, batch: pa.RecordBatch) -> None:
        """Counts rows of a dataset."""
        self.rows[dataset] = self.rows.get(dataset, 0) + batch.num_rows
        if dataset == REPO:
            self.states.update(batch["state"].to_pylist())
        elif dataset == REJECTED:
            for scope, reason, records in zip(
                *(batch[name].to_pylist() for name in ("scope", "reason", "records")), strict=True
            ):
                self.rejected[reason] += records
                self.entries += records if scope == "repository" else 0
        else:
            self.entries += batch.num_rows


def parts_since(earlier: Sequence[PartIdentity], now: Sequence[PartIdentity]) -> list[str] | None:
    """The parts that were added to a pack; null when what was there before is not there as it was."""
    if list(now[: len(earlier)]) != list(earlier):
        return None
    return [part.path for part in now[len(earlier) :]]


def keep_unchanged(lake: Lake, paths: Mapping[str, str], changed: Collection[str], output: ExtractOutput) -> Unchanged:
    """Copies the rows of all repositories but the changed ones.

    Args:
        lake: with the files.
        paths: of the earlier batches, by dataset.
        changed: DIDs.
        output: of the extraction; nothing was added to it yet.
    """
    kept = Unchanged()
    dids = pa.array(sorted(changed), pa.string())
    for dataset, path in paths.items():
        with lake.open_parquet(path) as file:
            for group in range(file.num_row_groups):
                for batch in file.read_row_group(group).to_batches():
                    left = without(batch, dids)
                    if left.num_rows:
                        output.keep(dataset, left)
                        kept.add(dataset, left)
    return kept
