"""What Dagster's webserver tells us, as values: runs, backfills, partitions, materializations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

MetadataValue: TypeAlias = str | int | float | bool | None

RUN_ENDS: Final = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
BACKFILL_ENDS: Final = frozenset({"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"})


@dataclass(frozen=True, slots=True)
class Run:
    """One run; times are seconds since the epoch, None before the start and the end."""

    run_id: str
    status: str
    started_at: float | None
    ended_at: float | None
    assets: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def partition(self) -> str | None:
        """The run's partition, if it has exactly one."""
        return self.tags.get("dagster/partition")

    @property
    def is_ended(self) -> bool:
        """Whether the status will not change again."""
        return self.status in RUN_ENDS


@dataclass(frozen=True, slots=True)
class AssetProgress:
    """How far a backfill is with one asset, in partitions."""

    asset: str
    targeted: int
    in_progress: int
    materialized: int
    failed: int


@dataclass(frozen=True, slots=True)
class Backfill:
    """One backfill."""

    backfill_id: str
    status: str
    partitions: int
    progress: tuple[AssetProgress, ...]
    error: str | None

    @property
    def is_ended(self) -> bool:
        """Whether the status will not change again."""
        return self.status in BACKFILL_ENDS

    @property
    def is_successful(self) -> bool:
        """Whether it ended with every partition materialized."""
        return self.status in {"COMPLETED", "COMPLETED_SUCCESS"}


@dataclass(frozen=True, slots=True)
class PartitionStatuses:
    """The partitions of one asset by state, each list in the partitions' own order."""

    materialized: tuple[str, ...]
    failed: tuple[str, ...]
    missing: tuple[str, ...]
    in_progress: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Materialization:
    """One materialization of an asset, with its metadata as plain values (JSON as text)."""

    run_id: str
    partition: str | None
    at_millis: int
    metadata: Mapping[str, MetadataValue]
