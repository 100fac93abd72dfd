"""How often a step tries again by itself: what the domain does not retry, above all a warehouse that is away."""

from typing import Final

import dagster as dg

#: Half a minute in all: a restart of Postgres passes unseen, a longer outage fails the partition, which keeps its work.
RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=4, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
