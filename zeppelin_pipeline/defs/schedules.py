"""What runs by the clock: the directory of hosts daily, counts nightly. Off until somebody turns them on."""

import dagster as dg

from zeppelin_pipeline.defs.assets.network import pds_list
from zeppelin_pipeline.defs.assets.warehouse import actor_counts, load_epoch, post_counts, warehouse_indexes
from zeppelin_pipeline.defs.partitions import KEY_RANGES

refresh_hosts = dg.define_asset_job(
    "refresh_hosts", selection=[pds_list], description="Ask the witnesses and probe every host."
)
refresh_indexes = dg.define_asset_job(
    "refresh_indexes",
    selection=[warehouse_indexes, load_epoch],
    description="Build missing indexes, and say how much is loaded.",
)
recount = dg.define_asset_job(
    "recount",
    selection=[post_counts, actor_counts],
    description="Recompute the counts of a key range from the base tables.",
)


@dg.schedule(name="hosts_daily", job=refresh_hosts, cron_schedule="17 3 * * *", execution_timezone="UTC")
def hosts_daily() -> dg.RunRequest:
    """The directory of hosts, once a day."""
    return dg.RunRequest()


@dg.schedule(name="counts_nightly", job=recount, cron_schedule="41 4 * * *", execution_timezone="UTC")
def counts_nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Every key range, once a night."""
    day = f"{context.scheduled_execution_time:%Y%m%d}"
    return [dg.RunRequest(run_key=f"{day}-{key}", partition_key=key) for key in KEY_RANGES.get_partition_keys()]


JOBS = [refresh_hosts, refresh_indexes, recount]
SCHEDULES = [hosts_daily, counts_nightly]
