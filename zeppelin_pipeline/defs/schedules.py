"""What runs by the clock: hosts, listings, stale repositories and counts, nightly. Off until somebody turns them on."""

from collections.abc import Callable

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

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


def once_a_day(
    job: UnresolvedAssetJobDefinition, cron: str
) -> Callable[[Callable[..., dg.RunRequest | list[dg.RunRequest]]], dg.ScheduleDefinition]:
    """A schedule of a job, its times in UTC, with the name and the docstring of the function that it is made of."""
    return lambda evaluate: dg.schedule(cron, job=job, execution_timezone="UTC", description=evaluate.__doc__)(evaluate)


@once_a_day(refresh_hosts, "17 3 * * *")
def hosts_daily() -> dg.RunRequest:
    """The directory of hosts anew, once a day."""
    return dg.RunRequest()


@once_a_day(relist, "5 22 * * *")
def listings_nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Every known host is listed anew, once a night: new accounts go to new shards, changed repositories are seen."""
    day = f"{context.scheduled_execution_time:%Y%m%d}"
    hosts = context.instance.get_dynamic_partitions(str(PDS_HOSTS.name))
    return [dg.RunRequest(run_key=f"{day}-{host}", partition_key=host) for host in hosts]


@once_a_day(look_for_stale, "35 0 * * *")
def stale_nightly() -> dg.RunRequest:
    """Finds repositories that changed, once a night; `refetch_stale_shards` has them fetched again."""
    return dg.RunRequest()


@once_a_day(compact, "29 6 * * *")
def compaction_nightly() -> dg.RunRequest:
    """What left the network leaves the lake, once a night."""
    return dg.RunRequest()


@once_a_day(recount, "41 4 * * *")
def counts_nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Every key range is counted anew, once a night."""
    day = f"{context.scheduled_execution_time:%Y%m%d}"
    return [dg.RunRequest(run_key=f"{day}-{key}", partition_key=key) for key in KEY_RANGES.get_partition_keys()]


JOBS = [refresh_hosts, refresh_indexes, relist, look_for_stale, refetch, compact, recount]
SCHEDULES = [hosts_daily, listings_nightly, stale_nightly, compaction_nightly, counts_nightly]
