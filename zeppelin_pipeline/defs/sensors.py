"""What follows by itself: hosts that were found are listed, and listings become shards.

Both are off until somebody turns them on, as a first backfill is better begun by hand. Each is a thin shell around a
decision that is a pure function.
"""

from collections.abc import Generator, Iterable

import dagster as dg

from zeppelin_pipeline.defs.assets.network import repo_listing, shard_plan
from zeppelin_pipeline.defs.partitions import PDS_HOSTS

_LISTINGS_AT_ONCE = 50


def hosts_to_list(hosts: Iterable[str], listed: Iterable[str], limit: int = _LISTINGS_AT_ONCE) -> list[str]:
    """Hosts without a listing, a bounded number of them, in one order."""
    return sorted(set(hosts) - set(listed))[:limit]


@dg.sensor(
    name="list_new_hosts",
    target=[repo_listing],
    minimum_interval_seconds=60,
    description="Lists hosts that have no listing yet.",
)
def list_new_hosts(context: dg.SensorEvaluationContext) -> Generator[dg.RunRequest | dg.SkipReason, None, None]:
    """One run for each new host; its key keeps it from being asked for twice."""
    hosts = context.instance.get_dynamic_partitions(str(PDS_HOSTS.name))
    new = hosts_to_list(hosts, context.instance.get_materialized_partitions(repo_listing.key))
    if not new:
        yield dg.SkipReason(f"all of the {len(hosts)} hosts are listed")
    for host in new:
        yield dg.RunRequest(run_key=f"list-{host}", partition_key=host)


@dg.asset_sensor(
    asset_key=repo_listing.key,
    name="plan_listed_repositories",
    target=[shard_plan],
    minimum_interval_seconds=60,
    description="Plans shards once hosts have been listed.",
)
def plan_listed_repositories(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
) -> dg.RunRequest | dg.SkipReason:
    """One planning for all listings that ended since the last."""
    del asset_event
    return dg.RunRequest(run_key=f"plan-{context.cursor}")


SENSORS = [list_new_hosts, plan_listed_repositories]
