"""What keeps identities up to date: the PLC directory followed each minute, handles verified when they are due.

Both run from the start, as they ask little: a page of the directory a minute, and each domain a few handles a second.
"""

from collections.abc import Sequence

import dagster as dg

from zeppelin_pipeline.defs.assets.identity import plc_operations, verified_handles
from zeppelin_pipeline.defs.partitions import PLC_WINDOWS
from zeppelin_pipeline.defs.resources import Warehouse
from zeppelin_pipeline.defs.run_states import UNFINISHED
from zeppelin_pipeline.identity.handle_queue import has_due
from zeppelin_pipeline.identity.windows import window_key

follow_plc_job = dg.define_asset_job(
    "follow_plc_job", selection=[plc_operations], description="Take in what the PLC directory's export has more."
)
verify_handles_job = dg.define_asset_job(
    "verify_handles_job", selection=[verified_handles], description="Resolve accounts anew and verify handles."
)


def open_window(windows: Sequence[str]) -> str:
    """The window that is open: the last one, and the first where there is none."""
    return max(windows, default=window_key(0))


@dg.sensor(
    name="follow_plc",
    job=follow_plc_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Continues the open window of the PLC directory's export.",
)
def follow_plc(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run at a time; the first window becomes a partition by the way."""
    if _is_running(context.instance, follow_plc_job.name):
        return dg.SkipReason("the export is being followed")
    windows = context.instance.get_dynamic_partitions(str(PLC_WINDOWS.name))
    window = open_window(windows)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=window)],
        dynamic_partitions_requests=[] if windows else [PLC_WINDOWS.build_add_request([window])],
    )


@dg.sensor(
    name="verify_due_handles",
    job=verify_handles_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Resolves accounts of which an event told, and verifies handles that are due.",
)
def verify_due_handles(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.RunRequest | dg.SkipReason:
    """One run at a time, and none when nothing is due."""
    if _is_running(context.instance, verify_handles_job.name):
        return dg.SkipReason("handles are being verified")
    with warehouse.connect("verify_due_handles") as connection:
        if not has_due(connection):
            return dg.SkipReason("no handle is due")
    return dg.RunRequest()


def _is_running(instance: dg.DagsterInstance, job: str) -> bool:
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=list(UNFINISHED)), limit=1))


IDENTITY_SENSORS = [follow_plc, verify_due_handles]
