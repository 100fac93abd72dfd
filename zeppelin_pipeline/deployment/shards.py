"""The sizes and limits of shards, by the settings of a deployment."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict

from zeppelin_pipeline.repos.compaction import CompactionSettings
from zeppelin_pipeline.repos.extract_output import Limits
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.pack import PackSettings
from zeppelin_pipeline.repos.plan import PlanSettings
from zeppelin_pipeline.repos.stale import StaleSettings
from zeppelin_pipeline.settings import Settings


class Shards(BaseModel):
    """The sizes and limits of shards on their way."""

    model_config = ConfigDict(frozen=True)

    shard_size: int
    tail_limit: int
    tail_hosts: int
    car_cap_bytes: int
    pack_part_bytes: int
    tolerate_failed: float
    batch_rows: int
    refetch_limit: int
    refetch_min_age_hours: float
    relook_hours: float
    car_retention_days: float | None
    lake_removal_hours: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What a deployment has of it."""
        return cls(
            shard_size=settings.shard_size,
            tail_limit=settings.tail_limit,
            tail_hosts=settings.tail_hosts,
            car_cap_bytes=settings.car_cap_bytes,
            pack_part_bytes=settings.pack_part_bytes,
            tolerate_failed=settings.tolerate_failed,
            batch_rows=settings.batch_rows,
            refetch_limit=settings.refetch_limit,
            refetch_min_age_hours=settings.refetch_min_age_hours,
            relook_hours=settings.relook_hours,
            car_retention_days=settings.car_retention_days,
            lake_removal_hours=settings.lake_removal_hours,
        )

    def plan_settings(self) -> PlanSettings:
        """How accounts are cut into shards."""
        return PlanSettings(self.shard_size, self.tail_limit, self.tail_hosts)

    def fetch_settings(self) -> FetchSettings:
        """What bounds a fetch."""
        return FetchSettings(max_car_bytes=self.car_cap_bytes, pack=PackSettings(part_bytes=self.pack_part_bytes))

    def stale_settings(self) -> StaleSettings:
        """What is fetched again."""
        return StaleSettings(
            self.refetch_limit, timedelta(hours=self.refetch_min_age_hours), timedelta(hours=self.relook_hours)
        )

    def compaction_settings(self) -> CompactionSettings:
        """What leaves the lake."""
        days = self.car_retention_days
        return CompactionSettings(None if days is None else timedelta(days=days), self.extract_limits())

    def extract_limits(self) -> Limits:
        """What bounds the memory of an extraction."""
        return Limits(group_rows=self.batch_rows)
