"""Answers of Dagster's webserver become values; what is wrong in them becomes one clear error."""

from collections.abc import Mapping

import pytest

from zeppelin_pipeline.stack import dagster_answers as answers
from zeppelin_pipeline.stack.graphql import DagsterError


def test_metadata_keeps_its_types() -> None:
    found = answers.materialization(
        {
            "runId": "r",
            "partition": None,
            "timestamp": "1795404661761",
            "metadataEntries": [
                {"__typename": "IntMetadataEntry", "label": "rows", "intRepr": "9007199254740993"},
                {"__typename": "FloatMetadataEntry", "label": "rate", "floatRepr": "0.5"},
                {"__typename": "BoolMetadataEntry", "label": "whole", "boolValue": False},
                {"__typename": "MarkdownMetadataEntry", "label": "table", "mdStr": "| a |"},
                {"__typename": "NullMetadataEntry", "label": "none"},
            ],
        }
    )
    assert dict(found.metadata) == {
        "rows": 9007199254740993,
        "rate": 0.5,
        "whole": False,
        "table": "| a |",
        "none": None,
    }
    assert found.at_millis == 1795404661761


def test_a_backfill_that_the_daemon_has_not_begun_has_no_progress() -> None:
    found = answers.backfill(
        {"id": "b", "status": "REQUESTED", "numPartitions": None, "error": None, "assetBackfillData": None}
    )
    assert (found.progress, found.partitions, found.is_ended) == ((), 0, False)


@pytest.mark.parametrize(
    ("status", "is_good"), [("COMPLETED_SUCCESS", True), ("COMPLETED_FAILED", False), ("CANCELED", False)]
)
def test_an_ended_backfill_is_good_only_when_all_is_made(status: str, is_good: bool) -> None:
    found = answers.backfill(
        {"id": "b", "status": status, "numPartitions": 1, "error": None, "assetBackfillData": None}
    )
    assert found.is_ended
    assert found.is_successful is is_good


def entry(error: Mapping[str, object] | None) -> dict[str, object]:
    located = {"__typename": "RepositoryLocation"} if error is None else {"__typename": "PythonError", **error}
    return {"name": "zeppelin", "loadStatus": "LOADED", "locationOrLoadError": located}


def test_a_location_is_loaded_waited_for_or_broken() -> None:
    unreachable = {"className": "DagsterUserCodeUnreachableError", "message": "no", "causes": []}
    broken = {"className": "ImportError", "message": "cannot load", "causes": [{"message": "no such module"}]}
    assert answers.is_loaded(entry(None))
    assert not answers.is_loaded({**entry(None), "loadStatus": "LOADING"})
    assert not answers.is_loaded(entry(unreachable))
    with pytest.raises(DagsterError, match="cannot load <- no such module"):
        answers.is_loaded(entry(broken))


def test_partitions_by_time_are_not_ours() -> None:
    with pytest.raises(DagsterError, match="TimePartitionStatuses"):
        answers.partition_statuses("daily", {"__typename": "TimePartitionStatuses"})
