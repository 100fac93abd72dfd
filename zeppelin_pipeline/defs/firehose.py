"""The firehose in Dagster: a run that follows a relay for a while, and a sensor that sees to it that there is one.

A run ends by itself after its time; the next is started a little before, stands by with everything ready, and takes the
stream over within a moment. A run that dies is replaced. What is durable does not depend on any of this: the cursor is
in the transaction of its events, and one consumer at a time may write.
"""

import asyncio
import json
from collections.abc import Generator, Iterable, Mapping
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
from zeppelin_pipeline.firehose.network_clock import NOTABLE_SECONDS
from zeppelin_pipeline.firehose.rates import Rates, lag_quantile
from zeppelin_pipeline.firehose.service import follow
from zeppelin_pipeline.firehose.status import StreamStatus, read_streams

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
        "clock_behind_seconds": round(rates.clock_behind_seconds, 1),
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
        if rates.clock_behind_seconds > NOTABLE_SECONDS:
            context.log.error("our clock is %.0f s behind what events say: set it", rates.clock_behind_seconds)
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


def growing_lags(
    streams: Iterable[StreamStatus], before: Mapping[str, float], lag_limit: float, silence_limit: float
) -> dict[str, str]:
    """What is wrong by relay: a lag beyond its limit and above that at the last look, or nothing at all for too long.

    A consumer that is dead or stuck and a relay that sends nothing look the same from here.

    Args:
        streams: as they stand.
        before: each relay's lag in seconds at the last look.
        lag_limit: seconds behind while events come.
        silence_limit: seconds in which the cursor has not moved.
    """
    found: dict[str, str] = {}
    for each in streams:
        if each.silent_seconds > silence_limit:
            found[each.relay] = f"nothing came for {each.silent_seconds:,.0f} s: is it followed, and does it send?"
        elif each.lag_seconds - each.silent_seconds > lag_limit and each.lag_seconds > before.get(each.relay, 0.0):
            found[each.relay] = f"{each.lag_seconds:,.0f} s behind"
    return found


class FirehoseLagError(Exception):
    """A relay sends faster than its events are applied, or they are not applied at all: shown as a failed tick."""


@dg.sensor(
    name="firehose_lag",
    job=follow_firehose,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails, for people and alerts to see, while the lag behind a relay is large and grows, "
    "or nothing comes of it. Starts nothing.",
)
def firehose_lag(
    context: dg.SensorEvaluationContext, firehose_settings: FirehoseResource, warehouse: dg.ResourceParam[Warehouse]
) -> Generator[dg.SkipReason, None, None]:
    """Compares each relay's lag with that of a minute ago."""
    with warehouse.connect("sensor") as connection:
        streams = [each for each in read_streams(connection) if each.relay in firehose_settings.relays]
    limits = firehose_settings.lag_alert_seconds, firehose_settings.silence_alert_seconds
    growing = growing_lags(streams, json.loads(context.cursor or "{}"), *limits)
    context.update_cursor(json.dumps({each.relay: each.lag_seconds for each in streams}))
    if growing:
        raise FirehoseLagError(", ".join(f"{relay}: {what}" for relay, what in growing.items()))
    yield dg.SkipReason(", ".join(f"{each.relay}: {each.lag_seconds:,.1f} s" for each in streams) or "no stream yet")


FIREHOSE_SENSORS = [keep_firehose, firehose_lag]
FIREHOSE_JOBS = [follow_firehose]
