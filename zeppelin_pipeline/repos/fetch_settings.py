"""Limits of a fetch."""

from dataclasses import dataclass, field

from zeppelin_pipeline.repos.pack import PackSettings


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Limits of a fetch.

    Attributes:
        max_car_bytes: a larger repository is stored as failed, `too-large`.
        car_seconds: time for one download.
        spool_bytes: a download's bytes in memory; more of them go to a temporary file.
        max_in_flight: requests of the whole shard at once; hosts share it evenly, and each has at least 4.
        breaker_failures, breaker_seconds: when a host is given up for this run (`HostBreaker`).
        threads: that check and write downloaded repositories.
        large_bytes: of larger repositories only one is checked or written at a time.
        progress_seconds: between two calls of `progress`, and between two looks at the age of what is not durable yet.
        pack: when rows become durable.
    """

    max_car_bytes: int = 256_000_000
    car_seconds: float = 600.0
    spool_bytes: int = 262_144
    max_in_flight: int = 400
    breaker_failures: int = 10
    breaker_seconds: float = 30.0
    threads: int = 2
    large_bytes: int = 8_000_000
    progress_seconds: float = 5.0
    pack: PackSettings = field(default_factory=PackSettings)
