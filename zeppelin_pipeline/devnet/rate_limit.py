"""What a host allows a client; how it is kept to is `host`'s business."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests a host answers to one address in a window; `getRepo` has a bucket of its own, twice that."""

    requests: int = 30_000
    window_seconds: float = 300.0
