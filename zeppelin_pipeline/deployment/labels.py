"""How labelers are followed, by the settings of a deployment."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.labels.follower import FollowLimits
from zeppelin_pipeline.labels.memory import MemoryLimits
from zeppelin_pipeline.labels.merge import LabelLimits
from zeppelin_pipeline.labels.service import LabelSettings
from zeppelin_pipeline.settings import Settings


class Labels(BaseModel):
    """How many labelers are followed, and within which bounds each."""

    model_config = ConfigDict(frozen=True)

    is_enabled: bool
    run_seconds: float
    most_labelers: int
    memory_bytes: int
    labels_per_second: float
    bytes_per_second: float
    rows: int
    quarantine: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What a deployment has of it."""
        return cls(
            is_enabled=settings.labels_enabled,
            run_seconds=settings.labels_run_minutes * 60,
            most_labelers=settings.labels_most_labelers,
            memory_bytes=settings.labels_memory_bytes,
            labels_per_second=settings.labels_per_second,
            bytes_per_second=settings.labels_bytes_per_second,
            rows=settings.labels_rows,
            quarantine=settings.labels_quarantine,
        )

    def settings(self, postgres_url: str, network: Network) -> LabelSettings:
        """What following needs to know.

        Raises:
            ConfigurationError: the memory is too little for so many labelers.
        """
        return LabelSettings(
            postgres_url=postgres_url,
            plc_url=network.plc_url,
            clients=network.client_settings(),
            limits=FollowLimits(
                labels_per_second=self.labels_per_second,
                bytes_per_second=self.bytes_per_second,
                table=LabelLimits(rows=self.rows, quarantine=self.quarantine),
            ),
            memory=MemoryLimits(self.memory_bytes, self.most_labelers),
        )
