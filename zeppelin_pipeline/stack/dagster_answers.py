"""From the JSON of Dagster's webserver to values. The documents that ask for it are in dagster_documents."""

from typing import Final

from zeppelin_pipeline.stack.dagster_values import (
    AssetProgress,
    Backfill,
    Materialization,
    MetadataValue,
    PartitionStatuses,
    Run,
)
from zeppelin_pipeline.stack.graphql import DagsterError, JsonObject

UNREACHABLE: Final = "DagsterUserCodeUnreachableError"


def key_input(asset: str) -> JsonObject:
    """An asset key as the webserver takes it."""
    return {"path": asset.split("/")}


def key_text(key: JsonObject) -> str:
    """An asset key as we write it: parts joined by `/`."""
    return "/".join(key["path"])


def is_loaded(entry: JsonObject) -> bool:
    """Whether a location of the workspace has its definitions.

    Raises:
        DagsterError: they do not load. A code server that is not up yet is no such error.
    """
    found = entry["locationOrLoadError"]
    if entry["loadStatus"] != "LOADED" or not found:
        return False
    if found["__typename"] == "PythonError":
        if found["className"] == UNREACHABLE:
            return False
        raise DagsterError("the definitions do not load", _with_causes(found))
    return True


def run(found: JsonObject) -> Run:
    """One run."""
    return Run(
        run_id=found["runId"],
        status=found["status"],
        started_at=found["startTime"],
        ended_at=found["endTime"],
        assets=tuple(key_text(key) for key in found["assetSelection"] or []),
        tags={tag["key"]: tag["value"] for tag in found["tags"]},
    )


def backfill(found: JsonObject) -> Backfill:
    """One backfill; before the daemon has begun it there is no progress of assets."""
    statuses = (found["assetBackfillData"] or {}).get("assetBackfillStatuses", [])
    return Backfill(
        backfill_id=found["id"],
        status=found["status"],
        partitions=found["numPartitions"] or 0,
        progress=tuple(asset_progress(one) for one in statuses if one["__typename"] == "AssetPartitionsStatusCounts"),
        error=found["error"]["message"] if found["error"] else None,
    )


def asset_progress(found: JsonObject) -> AssetProgress:
    """How far a backfill is with one asset."""
    return AssetProgress(
        asset=key_text(found["assetKey"]),
        targeted=found["numPartitionsTargeted"],
        in_progress=found["numPartitionsInProgress"],
        materialized=found["numPartitionsMaterialized"],
        failed=found["numPartitionsFailed"],
    )


def partition_statuses(asset: str, found: JsonObject) -> PartitionStatuses:
    """The partitions of an asset by state.

    Raises:
        DagsterError: the asset has no partitions, or partitions by time or in two dimensions, which ours never have.
    """
    if found["__typename"] != "DefaultPartitionStatuses":
        raise DagsterError(found["__typename"], f"{asset} is partitioned in a way that is not ours")
    return PartitionStatuses(
        materialized=tuple(found["materializedPartitions"]),
        failed=tuple(found["failedPartitions"]),
        missing=tuple(found["unmaterializedPartitions"]),
        in_progress=tuple(found["materializingPartitions"]),
    )


def error_text(event: JsonObject) -> str | None:
    """An event's error with its causes; None for an event without one."""
    error = event.get("error")
    return _with_causes(error) if error else None


def materialization(found: JsonObject) -> Materialization:
    """One materialization, its metadata entries as plain values."""
    return Materialization(
        run_id=found["runId"],
        partition=found["partition"],
        at_millis=int(found["timestamp"]),
        metadata={entry["label"]: _metadata_value(entry) for entry in found["metadataEntries"]},
    )


def _metadata_value(entry: JsonObject) -> MetadataValue:
    match entry["__typename"]:
        case "IntMetadataEntry":
            return int(entry["intRepr"])
        case "FloatMetadataEntry":
            return float(entry["floatRepr"])
        case _:
            texts = [value for name, value in entry.items() if name not in {"__typename", "label"}]
            return texts[0] if texts else None


def _with_causes(error: JsonObject) -> str:
    causes = [cause["message"] for cause in error["causes"]]
    return " <- ".join(str(message).strip() for message in [error["message"], *causes])
