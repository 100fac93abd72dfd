"""Queues runs so that one host is asked by one run at a time.

A backfill cannot tag the runs of its partitions one by one; the coordinator can, as each is submitted. `dagster.yaml`
limits the runs of each value of the tag to one.
"""

from typing import Final

import dagster as dg
from dagster._core.run_coordinator.base import SubmitRunContext

HOST_TAG: Final = "zeppelin/host"
_PARTITION_TAG: Final = "dagster/partition"


def host_of_partition(partition: str) -> str | None:
    """The host whose patience a partition's run uses up: of a shard or a listing; None for key ranges.

    A bundle of small hosts counts as a host of its own. One planning puts a host into one bundle only; accounts that
    are found later may bring it into another, so that two runs may then ask it at once, each within its limits.
    """
    stem, tilde, _ = partition.rpartition("~")
    if tilde:
        return partition if stem == "tail" else stem
    return partition if "." in partition or ":" in partition else None


class HostRunCoordinator(dg.QueuedRunCoordinator):
    """The queued coordinator, with the host's tag added to each run that talks to one."""

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Tag the run with its host, then queue it."""
        run = context.dagster_run
        host = host_of_partition(run.tags.get(_PARTITION_TAG, ""))
        if host is not None and HOST_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, {HOST_TAG: host})
        return super().submit_run(context)
