"""`zeppelin refetch`: repositories fetched, extracted and loaded again in this process, for a person in a hurry."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from psycopg import Connection
from psycopg.rows import TupleRow
from rich.console import Console

from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.deployment.shards import Shards
from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.identity.mirror import open_mirror
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.fetch_outcome import FetchResult
from zeppelin_pipeline.repos.load import load_shard_batches
from zeppelin_pipeline.repos.refetch import everybody, refetch_shard
from zeppelin_pipeline.repos.stale import find_stale
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.lake import open_lake, require_shard
from zeppelin_pipeline.warehouse.connection import connect, read_key_space
from zeppelin_pipeline.warehouse.queries import load_queries


@dataclass(frozen=True, slots=True)
class RefetchRequest:
    """Which repositories: of some accounts, of a whole shard, or the stale ones of a shard or of all.

    Attributes:
        dids: the accounts.
        shard: its key.
        is_stale: only those that are stale.
        accepts_older: what the accounts' hosts give is taken though it is older than what is held.
    """

    dids: tuple[str, ...]
    shard: str | None
    is_stale: bool
    accepts_older: bool = False

    def check(self) -> None:
        """Raises ConfigurationError unless exactly one way of choosing is used."""
        if bool(self.dids) == (self.is_stale or self.shard is not None):
            raise ConfigurationError("give DIDs, or --stale, or --shard KEY, or both of these")
        if self.accepts_older and not self.dids:
            raise ConfigurationError("--accept-older is for accounts that are named one by one")


def run_refetch(settings: Settings, request: RefetchRequest, console: Console) -> bool:
    """Fetch again what is asked for, shard by shard; gives whether every repository could be had."""
    request.check()
    network, shards = Network.of(settings), Shards.of(settings)
    lake = open_lake(settings)
    require_shard(lake, request.shard)
    failed = 0
    with connect(settings.require_postgres_url(), application="zeppelin refetch", autocommit=True) as connection:
        for shard, dids in _chosen(connection, lake, shards, request):
            result = asyncio.run(_refetch(settings, lake, shard, dids, network, shards))
            extract_shard(lake, shard, limits=shards.extract_limits())
            if request.accepts_older and dids:
                _accept_older(connection, dids)
            loaded = load_shard_batches(connection, lake, shard, anew=request.accepts_older)
            failed += result.failed_repos
            console.print(
                f"{shard}: {result.fetched} fetched, {sum(result.absent.values())} absent,"
                f" {result.failed_repos} failed, {result.settled_before} as they were; {loaded.copied:,} rows written",
                highlight=False,
            )
    return not failed


def _chosen(
    connection: Connection[TupleRow], lake: Lake, shards: Shards, request: RefetchRequest
) -> "Iterable[tuple[str, list[str] | None]]":
    """Shards with the accounts that are asked for; None for the stale ones."""
    if request.is_stale:
        found = find_stale(connection, lake, shards.stale_settings()).by_shard
        return [(shard, None) for shard in found if request.shard in {None, shard}]
    if request.shard is not None:
        return [(request.shard, everybody(lake, request.shard))]
    keys = read_key_space(connection)
    actors = [keys.actor_id(did) for did in request.dids]
    rows = connection.execute(load_queries()["shards_of_accounts"], {"actors": actors}).fetchall()
    unknown = set(request.dids) - {did for did, _ in rows}
    if unknown:
        raise ConfigurationError(f"in no shard that was loaded: {', '.join(sorted(unknown))}")
    return [(shard, [did for did, _ in group]) for shard, group in groupby(rows, key=lambda row: row[1])]


def _accept_older(connection: Connection[TupleRow], dids: list[str]) -> None:
    """Has the next load take these repositories at any rev; when it does not come to that, they are due again."""
    keys, queries = read_key_space(connection), load_queries()
    with connection.transaction():
        for query in ("accept_older", "forget_ahead_records_of_accounts", "forget_ahead_commits_of_accounts"):
            connection.execute(queries[query], {"actors": [keys.actor_id(did) for did in dids]})


async def _refetch(
    settings: Settings,
    lake: Lake,
    shard: str,
    dids: list[str] | None,
    network: Network,
    shards: Shards,
) -> FetchResult:
    fresh_for = timedelta(seconds=settings.plc_fresh_seconds)
    async with (
        network.clients() as clients,
        open_mirror(settings.require_postgres_url(), "zeppelin refetch", fresh_for) as mirror,
    ):
        resolver = network.resolver(clients, mirror)
        return await refetch_shard(lake, shard, clients, resolver, shards.fetch_settings(), dids=dids)
