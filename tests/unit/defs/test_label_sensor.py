"""When labelers get another run, and what a report of theirs shows."""

from typing import Any

import dagster as dg

from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.labels import ALL_LABELERS, follow_labels, keep_labels, report_metadata
from zeppelin_pipeline.defs.supervision import FOLLOWED_TAG
from zeppelin_pipeline.labels.service import LabelReport
from zeppelin_pipeline.settings import Settings


def tick(instance: dg.DagsterInstance, cursor: str | None = None, **given: Any) -> Any:
    settings = Settings.load(postgres_url="postgresql://nobody@127.0.0.1/none", labels_run_minutes=2, **given)
    resources = {"labels_settings": build_resources(settings)["labels_settings"]}
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
    return keep_labels(context)


def make_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    instance.create_run_for_job(follow_labels, status=status, tags={FOLLOWED_TAG: ALL_LABELERS})


def test_labelers_get_a_run_are_left_alone_with_it_and_get_another_when_it_died() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        started = tick(instance)
        [request] = started.run_requests
        assert request.run_config["ops"]["follow_all_labelers"]["config"] == {"seconds": 120.0}

        make_run(instance, dg.DagsterRunStatus.STARTED)
        assert isinstance(tick(instance, started.cursor), dg.SkipReason)

    with dg.DagsterInstance.ephemeral() as instance:
        make_run(instance, dg.DagsterRunStatus.FAILURE)
        [replacement] = tick(instance, started.cursor).run_requests
        assert replacement.run_key != request.run_key


def test_nothing_is_started_when_it_is_switched_off() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(instance, labels_enabled=False), dg.SkipReason)


def test_a_report_says_who_is_down_and_why_and_what_was_refused() -> None:
    report = LabelReport(5, {"unreachable": 2}, 1, 900, 30.04, 1.25, {"label-signature": 7})
    metadata = report_metadata(report)
    numbers = ("labelers", "up", "down", "elsewhere", "labels_per_second", "lag_seconds", "refused")
    assert [metadata[name] for name in numbers] == [5, 3, 2, 1, 30.0, 1.25, 7]
    assert "unreachable" in metadata["failures"].value
    assert "label-signature" in metadata["refusals"].value
    assert "lag_seconds" not in report_metadata(LabelReport(0, {}, 0, 0, 0.0, None, {}))
