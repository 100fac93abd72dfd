"""The firehose in Dagster: a run that follows a relay for a while, and a sensor that sees to it that there is one.

A run ends by itself after its time; the next is started a little before, stands by with everything ready, and takes the
stream over within a moment. A run that dies is replaced. What is durable does not depend on any of this: the cursor is
in the transaction of its events, and one consumer at a time may write.
"""

import asyncio
import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final

import dagster as dg

from zeppelin_pipeline.defs.metadata import counts_table
from zeppelin_pipeline.defs.resources import (
    FirehoseResource,
    IdentityResource,
    LakeResource,
    NetworkResource,
    Warehouse,
)
from zeppelin_pipeline.defs.supervision import OVERLAP_SECONDS, keep_running, run_tags
from zeppelin_pipeline.firehose.rates import Rates, lag_quantile
from zeppelin_pipeline.firehose.service import follow
from zeppelin_pipeline.firehose.status import read_streams

#: A run that itself had to wait ends as much later.
_PATIENCE_SECONDS: Final = 3 * OVERLAP_SECONDS
KIND: Final = "firehose"

firehose = dg.AssetSpec(
    "firehose",
    group_name="live",
    kinds={"postgres"},
    description="Live events of the relays, verified and applied; each report is a materialization.",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=10)),
)


def report_metadata(relay: str, rates: Rates) -> dict[str, Any]:
    """What a report shows: numbers become plots."""
    numbers: dict[str, Any] = {
        "events_per_second": round(rates.events_per_second, 1),
        "gaps": rates.gaps,
        "ahead": rates.ahead,
        "queued": rates.queued,
        "refused": sum(rates.refused.values()),
        "verify_seconds": round(rates.verify_seconds, 4),
        "apply_seconds": round(rates.apply_seconds, 4),
    }
    if rates.lag_seconds is not None:
        numbers["lag_seconds"] = round(rates.lag_seconds, 3)
    for name, share in (("lag_median_seconds", 0.5), ("lag_p99_seconds", 0.99)):
        if (lag := lag_quantile(rates.lags, share)) is not None:
            numbers[name] = round(lag, 3)
    if rates.cursor is not None:
        numbers["cursor"] = rates.cursor
    return numbers | {
        "relay": relay,
        "is_spooling": rates.is_spooling,
        "connections": rates.connections,
        "events": counts_table("kind", rates.events),
        "refusals": counts_table("reason", rates.refused),
    }


class FollowConfig(dg.Config):
    """Which relay a run follows, and for how long."""

    relay: str
    seconds: float = 1_200.0


@dg.op(description="Follows one relay until its time is over, or somebody ends it.")
def follow_relay(
    context: dg.OpExecutionContext,
    config: FollowConfig,
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[LakeResource],
    network: NetworkResource,
    identity: IdentityResource,
    firehose_settings: FirehoseResource,
) -> None:
    """One consumer; its reports are materializations of the asset."""

    def report(rates: Rates) -> None:
        metadata = report_metadata(config.relay, rates)
        context.log_event(dg.AssetMaterialization(firehose.key, metadata=metadata))

    settings = firehose_settings.settings(
        config.relay, warehouse.require_url(), lake.open(), network, identity.plc_fresh_seconds
    )
    following = follow(
        settings, asyncio.Event(), report, patience_seconds=_PATIENCE_SECONDS, longest_seconds=config.seconds
    )
    if not asyncio.run(following):
        raise dg.Failure(
            f"another consumer follows {config.relay} and did not hand over: is `zeppelin firehose` running?",
            allow_retries=False,
        )


@dg.job(
    name="follow_firehose",
    description="Follows the live events of a relay.",
    tags=run_tags(KIND),
    executor_def=dg.in_process_executor,
)
def follow_firehose() -> None:
    """One op."""
    follow_relay()


@dg.sensor(
    name="keep_firehose",
    job=follow_firehose,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sees to it that every relay's live events are followed: starts runs, and replaces those that died.",
)
def keep_firehose(
    context: dg.SensorEvaluationContext, firehose_settings: FirehoseResource
) -> dg.SensorResult | dg.SkipReason:
    """A run for each relay that needs one."""
    if not firehose_settings.is_enabled:
        return dg.SkipReason("ZEPPELIN_FIREHOSE_ENABLED is false")
    run_seconds = firehose_settings.run_seconds
    configs = {
        relay: dg.RunConfig(ops={"follow_relay": FollowConfig(relay=relay, seconds=run_seconds)})
        for relay in firehose_settings.relays
    }
    return keep_running(context, KIND, follow_firehose.name, configs, run_seconds)


def growing_lags(lags: dict[str, float], before: dict[str, float], limit: float) -> dict[str, float]:
    """Relays whose lag is beyond the limit and above what it was at the last look."""
    return {relay: lag for relay, lag in lags.items() if lag > limit and lag > before.get(relay, 0.0)}


class FirehoseLagError(Exception):
    """A relay sends faster than its events are applied: shown as a failed tick, until the lag falls."""


@dg.sensor(
    name="firehose_lag",
    job=follow_firehose,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails, for people and alerts to see, while the lag behind a relay is large and grows. Starts nothing.",
)
def firehose_lag(
    context: dg.SensorEvaluationContext, firehose_settings: FirehoseResource, warehouse: dg.ResourceParam[Warehouse]
) -> Generator[dg.SkipReason, None, None]:
    """Compares each relay's lag with that of a minute ago."""
    with warehouse.connect("sensor") as connection:
        lags = {each.relay: each.lag_seconds for each in read_streams(connection) if each.lag_seconds is not None}
    growing = growing_lags(lags, json.loads(context.cursor or "{}"), firehose_settings.lag_alert_seconds)
    context.update_cursor(json.dumps(lags))
    if growing:
        raise FirehoseLagError(", ".join(f"{relay}: {lag:,.0f} s behind" for relay, lag in growing.items()))
    yield dg.SkipReason(", ".join(f"{relay}: {lag:,.1f} s" for relay, lag in lags.items()) or "no event yet")


FIREHOSE_SENSORS = [keep_firehose, firehose_lag]
FIREHOSE_JOBS = [follow_firehose]
