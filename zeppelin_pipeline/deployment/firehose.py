"""Which relays are followed, and how, by the settings of a deployment."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict

from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.firehose.consumer import BatchLimits, ConsumerSettings
from zeppelin_pipeline.firehose.frame_queue import QueueLimits
from zeppelin_pipeline.firehose.service import FirehoseSettings
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings


class Firehose(BaseModel):
    """Which relays are followed, and within which bounds."""

    model_config = ConfigDict(frozen=True)

    is_enabled: bool
    relays: list[str]
    run_seconds: float
    verifiers: int
    batch_events: int
    batch_seconds: float
    queue_bytes: int
    lag_alert_seconds: float
    silence_alert_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What a deployment has of it."""
        return cls(
            is_enabled=settings.firehose_enabled,
            relays=list(settings.followed_relays),
            run_seconds=settings.firehose_run_minutes * 60,
            verifiers=settings.firehose_verifiers,
            batch_events=settings.firehose_batch_events,
            batch_seconds=settings.firehose_batch_seconds,
            queue_bytes=settings.firehose_queue_bytes,
            lag_alert_seconds=settings.firehose_lag_alert_seconds,
            silence_alert_seconds=settings.firehose_silence_alert_seconds,
        )

    def settings(
        self, relay: str, postgres_url: str, lake: Lake, network: Network, plc_fresh_seconds: float
    ) -> FirehoseSettings:
        """What the consumer of a relay needs to know; it connects to it as to all hosts."""
        clients = network.client_settings()
        consumer = ConsumerSettings(
            batch=BatchLimits(events=self.batch_events, seconds=self.batch_seconds),
            queue=QueueLimits(bytes=self.queue_bytes),
            stream=StreamSettings(
                allow_private=clients.allow_private, user_agent=clients.user_agent, retry=clients.retry
            ),
        )
        return FirehoseSettings(
            postgres_url=postgres_url,
            lake=lake,
            relay=relay,
            plc_url=network.plc_url,
            clients=clients,
            plc_fresh_for=timedelta(seconds=plc_fresh_seconds),
            verifiers=self.verifiers,
            consumer=consumer,
        )
