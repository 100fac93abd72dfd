"""What runs by the clock: hosts, listings, stale repositories and counts, nightly. Off until somebody turns them on."""

import dagster as dg

from zeppelin_pipeline.defs.assets.compaction import lake_compaction
from zeppelin_pipeline.defs.assets.counts import DERIVED
from zeppelin_pipeline.defs.assets.network import pds_list, repo_listing
from zeppelin_pipeline.defs.assets.quarantine import quarantine
from zeppelin_pipeline.defs.assets.stale import refetch, stale_repos
from zeppelin_pipeline.defs.assets.warehouse import load_epoch, warehouse_indexes
from zeppelin_pipeline.defs.partitions import KEY_RANGES, PDS_HOSTS

refresh_hosts = dg.define_asset_job(
    "refresh_hosts", selection=[pds_list], description="Ask the witnesses and probe every host."
)
refresh_indexes = dg.define_asset_job(
    "refresh_indexes",
    selection=[warehouse_indexes, load_epoch, quarantine],
    description="Build missing indexes, and say how much is loaded and set aside.",
)
relist = dg.define_asset_job(
    "relist", selection=[repo_listing], description="List one host's repositories anew, to find new and changed ones."
)
look_for_stale = dg.define_asset_job(
    "look_for_stale", selection=[stale_repos], description="Compare the listings with the warehouse."
)
compact = dg.define_asset_job(
    "compact", selection=[lake_compaction], description="Remove from the lake what is not to be in it any more."
)
recount = dg.define_asset_job(
    "recount",
    selection=[*DERIVED],
    description="Judge gates anew and recompute the counts of a key range from the base tables.",
)


@dg.schedule(
    name="hosts_daily",
    job=refresh_hosts,
    cron_schedule="17 3 * * *",
    execution_timezone="UTC",
    description="The directory of hosts anew, once a day.",
)
def hosts_daily() -> dg.RunRequest:
    """The directory of hosts, once a day."""
    return dg.RunRequest()


@dg.schedule(
    name="listings_nightly",
    job=relist,
    cron_schedule="5 22 * * *",
    execution_timezone="UTC",
    description="Every known host is listed anew, once a night: new accounts go to new shards.",
)
def listings_nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Every known host, once a night: new accounts go to new shards, and changed repositories are seen to be stale."""
    day = f"{context.scheduled_execution_time:%Y%m%d}"
    hosts = context.instance.get_dynamic_partitions(str(PDS_HOSTS.name))
    return [dg.RunRequest(run_key=f"{day}-{host}", partition_key=host) for host in hosts]


@dg.schedule(
    name="stale_nightly",
    job=look_for_stale,
    cron_schedule="35 0 * * *",
    execution_timezone="UTC",
    description="Finds repositories that changed, once a night; `refetch_stale_shards` has them fetched again.",
)
def stale_nightly() -> dg.RunRequest:
    """Which repositories changed, once a night; the sensor `refetch_stale_shards` then has them fetched again."""
    return dg.RunRequest()


@dg.schedule(
    name="compaction_nightly",
    job=compact,
    cron_schedule="29 6 * * *",
    execution_timezone="UTC",
    description="What left the network leaves the lake, once a night.",
)
def compaction_nightly() -> dg.RunRequest:
    """The lake, once a night."""
    return dg.RunRequest()


@dg.schedule(
    name="counts_nightly",
    job=recount,
    cron_schedule="41 4 * * *",
    execution_timezone="UTC",
    description="Every key range is counted anew, once a night.",
)
def counts_nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Every key range, once a night."""
    day = f"{context.scheduled_execution_time:%Y%m%d}"
    return [dg.RunRequest(run_key=f"{day}-{key}", partition_key=key) for key in KEY_RANGES.get_partition_keys()]


JOBS = [refresh_hosts, refresh_indexes, relist, look_for_stale, refetch, compact, recount]
SCHEDULES = [hosts_daily, listings_nightly, stale_nightly, compaction_nightly, counts_nightly]
