"""What follows by itself: new hosts are listed, listings planned, what is stale is fetched again or counted anew.

All are off until somebody turns them on, as a first backfill is better begun by hand. Each is a thin shell around a
decision that is a pure function.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import dagster as dg

from zeppelin_pipeline.defs.assets.network import repo_listing, shard_plan
from zeppelin_pipeline.defs.assets.stale import REFETCH_STALE, refetch, stale_repos
from zeppelin_pipeline.defs.partitions import PDS_HOSTS
from zeppelin_pipeline.defs.refreshing import refresh_dirty_ranges
from zeppelin_pipeline.defs.resources import LakeResource
from zeppelin_pipeline.repos.stale import stale_shards

_LISTINGS_AT_ONCE = 50
_REFETCHES_AT_ONCE = 100


def hosts_to_list(
    hosts: Iterable[str], listed: Iterable[str], after: str = "", limit: int = _LISTINGS_AT_ONCE
) -> list[str]:
    """Hosts without a listing, a bounded number of them, in one order, from behind a host on; then from the first."""
    unlisted = sorted(set(hosts) - set(listed))
    return ([host for host in unlisted if host > after] or unlisted)[:limit]


@dg.sensor(
    name="list_new_hosts",
    target=[repo_listing],
    minimum_interval_seconds=60,
    description="Lists hosts that have no listing yet.",
)
def list_new_hosts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run for each new host, and one a day for those that could not be listed: they hold up no others."""
    hosts = context.instance.get_dynamic_partitions(str(PDS_HOSTS.name))
    listed = context.instance.get_materialized_partitions(repo_listing.key)
    new = hosts_to_list(hosts, listed, context.cursor or "")
    if not new:
        return dg.SkipReason(f"all of the {len(hosts)} hosts are listed")
    day = f"{datetime.now(UTC):%Y%m%d}"
    requests = [dg.RunRequest(run_key=f"list-{day}-{host}", partition_key=host) for host in new]
    return dg.SensorResult(run_requests=requests, cursor=new[-1])


def newest_listing(events: Iterable[int], planned: int) -> int | None:
    """The newest listing, by the number of its event, when it is newer than the last one that was planned."""
    newest = max(events, default=planned)
    return newest if newest > planned else None


@dg.sensor(
    name="plan_listed_repositories",
    target=[shard_plan],
    minimum_interval_seconds=60,
    description="Plans shards once hosts have been listed.",
)
def plan_listed_repositories(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One planning for all listings that ended since the last."""
    last = context.instance.fetch_materializations(repo_listing.key, limit=1).records
    newest = newest_listing((record.storage_id for record in last), int(context.cursor or 0))
    if newest is None:
        return dg.SkipReason("no host was listed since the last planning")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"plan-{newest}")], cursor=str(newest))


def next_stale_shards(
    shards: Sequence[str], newest: int | None, cursor: str | None, limit: int = _REFETCHES_AT_ONCE
) -> tuple[list[str], str]:
    """The next shards of the newest look for stale repositories, and the cursor after them (`event:shard`).

    A newer look begins anew; shards are taken in order, so that nothing is asked for twice by one look.
    """
    last, _, after = (cursor or "0:").partition(":")
    if newest is not None and newest > int(last):
        last, after = str(newest), ""
    chosen = [shard for shard in sorted(shards) if shard > after][:limit]
    return chosen, f"{last}:{chosen[-1] if chosen else after}"


@dg.sensor(
    name="refetch_stale_shards",
    job=refetch,
    minimum_interval_seconds=60,
    description="Has the stale repositories of each shard fetched again once `stale_repos` has found them.",
)
def refetch_stale_shards(
    context: dg.SensorEvaluationContext, lake: dg.ResourceParam[LakeResource]
) -> dg.SensorResult | dg.SkipReason:
    """One run for each shard with stale repositories; no other shard is touched."""
    last = context.instance.fetch_materializations(stale_repos.key, limit=1).records
    if not last:
        return dg.SkipReason("nobody has looked for stale repositories yet")
    newest = last[0].storage_id
    shards, cursor = next_stale_shards(stale_shards(lake.open()), newest, context.cursor)
    if not shards:
        return dg.SkipReason("every shard with stale repositories has been asked for")
    requests = [
        dg.RunRequest(run_key=f"refetch-{newest}-{shard}", partition_key=shard, run_config=REFETCH_STALE)
        for shard in shards
    ]
    return dg.SensorResult(run_requests=requests, cursor=cursor)


SENSORS = [list_new_hosts, plan_listed_repositories, refetch_stale_shards, refresh_dirty_ranges]
