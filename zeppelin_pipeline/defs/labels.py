"""Labels in Dagster: a run that follows all labelers for a while, and a sensor that sees to it that there is one.

The next run stands by from a little before the end of the last, and has each labeler as soon as it is let go. What is
durable does not depend on any of this: cursors are in the transactions of their labels.
"""

import asyncio
from datetime import timedelta
from typing import Any, Final

import dagster as dg

from zeppelin_pipeline.defs.metadata import counts_table
from zeppelin_pipeline.defs.resources import LabelsResource, NetworkResource, Warehouse
from zeppelin_pipeline.defs.supervision import keep_running, run_tags
from zeppelin_pipeline.labels.service import LabelReport, follow_labelers

KIND: Final = "labels"
#: One run follows them all.
ALL_LABELERS: Final = "labelers"

labels = dg.AssetSpec(
    "labels",
    group_name="live",
    kinds={"postgres"},
    description="Labels of all labelers, verified and merged; each report is a materialization.",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=10)),
)


def report_metadata(report: LabelReport) -> dict[str, Any]:
    """What a report shows: numbers become plots."""
    down = sum(report.failing.values())
    numbers: dict[str, Any] = {
        "labelers": report.followed,
        "up": report.followed - down,
        "down": down,
        "elsewhere": report.elsewhere,
        "labels": report.written,
        "labels_per_second": round(report.labels_per_second, 1),
        "refused": sum(report.refused.values()),
    }
    if report.lag_seconds is not None:
        numbers["lag_seconds"] = round(report.lag_seconds, 3)
    return numbers | {
        "failures": counts_table("reason", report.failing),
        "refusals": counts_table("reason", report.refused),
    }


class FollowLabelsConfig(dg.Config):
    """For how long a run follows."""

    seconds: float = 3_600.0


@dg.op(description="Follows all labelers until its time is over, or somebody ends it.")
def follow_all_labelers(
    context: dg.OpExecutionContext,
    config: FollowLabelsConfig,
    warehouse: dg.ResourceParam[Warehouse],
    network: NetworkResource,
    labels_settings: LabelsResource,
) -> None:
    """One process; its reports are materializations of the asset."""

    def report(now: LabelReport) -> None:
        context.log_event(dg.AssetMaterialization(labels.key, metadata=report_metadata(now)))

    settings = labels_settings.settings(warehouse.require_url(), network)
    asyncio.run(follow_labelers(settings, asyncio.Event(), report, longest_seconds=config.seconds))


@dg.job(
    name="follow_labels",
    description="Follows the labels of all labelers.",
    tags=run_tags(KIND),
    executor_def=dg.in_process_executor,
)
def follow_labels() -> None:
    """One op."""
    follow_all_labelers()


@dg.sensor(
    name="keep_labels",
    job=follow_labels,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sees to it that labelers are followed: starts runs, and replaces those that died.",
)
def keep_labels(
    context: dg.SensorEvaluationContext, labels_settings: LabelsResource
) -> dg.SensorResult | dg.SkipReason:
    """One run for all labelers."""
    if not labels_settings.is_enabled:
        return dg.SkipReason("ZEPPELIN_LABELS_ENABLED is false")
    run_seconds = labels_settings.run_seconds
    config = dg.RunConfig(ops={"follow_all_labelers": FollowLabelsConfig(seconds=run_seconds)})
    return keep_running(context, KIND, follow_labels.name, {ALL_LABELERS: config}, run_seconds)


LABEL_SENSORS = [keep_labels]
LABEL_JOBS = [follow_labels]
