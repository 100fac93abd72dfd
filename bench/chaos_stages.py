"""Stages of the backfill in a process of their own, over and over, to be killed: `python -m bench.chaos_stages STAGE…`.

The stages call what Dagster's assets call, with the settings of the environment; a process that ended is started
again by whoever keeps it, as Dagster retries a run. A shard is in one stage at a time, as it is in one run. What a host
or the network refuses is told and tried again in the next round; whatever else fails ends the process.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from zeppelin_pipeline.aggregates.counts import recompute
from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.deployment.shards import Shards
from zeppelin_pipeline.errors import CorruptStateError, UpstreamError, ZeppelinError
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.hosts.directory import refresh_directory
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.fetch import fetch_shard
from zeppelin_pipeline.repos.listing import list_host
from zeppelin_pipeline.repos.load import load_shard_batches
from zeppelin_pipeline.repos.manifests import list_shards, read_manifest
from zeppelin_pipeline.repos.plan import current_host, plan_shards
from zeppelin_pipeline.repos.refetch import refetch_shard
from zeppelin_pipeline.repos.stale import find_stale, stale_shards
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges
from zeppelin_pipeline.warehouse.indexes import build_indexes, has_all_indexes
from zeppelin_pipeline.warehouse.queries import load_queries

STAGES: Final = ("survey", "fetch", "extract", "load", "counts")
PAUSE_SECONDS: Final = 1.0
_SURVEY_SECONDS: Final = 10.0
_NICENESS: Final = 10
#: Repositories that are fetched again each round though nothing says so: merges go on beside live events.
_ASKED_AGAIN: Final = 10
_Result = TypeVar("_Result")


class DriftError(ZeppelinError):
    """A count was off that nothing had marked as out of date."""


class Stages:
    """The stages over one lake and warehouse."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.require_postgres_url()
        self._lake = Lake(settings.lake_url, settings.lake_options)
        self._network, self._shards = Network.of(settings), Shards.of(settings)
        self._dice = random.SystemRandom()

    def survey(self) -> dict[str, int]:
        """Hosts found and listed, shards planned, stale repositories found; gives how many these are, by reason."""

        async def look(clients: HostClients) -> None:
            directory = await refresh_directory(self._lake, clients, self._network.witnesses(clients))
            for row in directory.online:
                host = Host(row.host, row.url)
                with _told(f"listing of {row.host}"):
                    await list_host(clients.client(host), self._lake, host)
            await plan_shards(self._lake, current_host(self._network.resolver(clients)), self._shards.plan_settings())

        self._run(look)
        with connect(self._url, application="zeppelin stale_repos", autocommit=True) as connection:
            return find_stale(connection, self._lake, self._shards.stale_settings()).by_reason

    def fetch(self, *, asked_again: int = _ASKED_AGAIN) -> None:
        """What packs lack, what is stale, and a few more."""
        shards = list_shards(self._lake)
        for shard in shards:
            with self._alone(shard):
                self._fetch(shard)
        for shard in stale_shards(self._lake):
            with self._alone(shard):
                self._refetch(shard, None)
        if shards and asked_again:
            shard = self._dice.choice(shards)
            dids = [row.did for row in read_manifest(self._lake, shard)]
            with self._alone(shard):
                self._refetch(shard, self._dice.sample(dids, min(asked_again, len(dids))))

    def extract(self) -> None:
        """Packs to batches."""
        for shard in list_shards(self._lake):
            with self._alone(shard):
                if self._lake.list(layout.pack(shard)):
                    extract_shard(self._lake, shard, limits=self._shards.extract_limits())

    def load(self) -> None:
        """Batches to rows."""
        with connect(self._url, application="zeppelin load", autocommit=True) as connection:
            for shard in list_shards(self._lake):
                with self._alone(shard):
                    if self._lake.exists(layout.batch_ledger(shard)):
                        load_shard_batches(connection, self._lake, shard)

    def counts(self) -> int:
        """Indexes once all shards were loaded; then what is marked is counted anew. Gives how many ranges these are."""
        with connect(self._url, application="zeppelin counts", autocommit=True) as connection:
            if not has_all_indexes(connection):
                loaded = {row[0] for row in connection.execute(load_queries()["loads"])}
                shards = list_shards(self._lake)
                if not shards or not loaded.issuperset(shards):
                    return 0
                build_indexes(connection)
                print("indexes stand", flush=True)
            dirty = list_dirty_ranges(connection)
            for each in dirty:
                result = recompute(connection, each.aggregate, each.key_range)
                if result.is_drift:
                    raise DriftError(f"{each.aggregate} {each.key_range}: {result.drifted} rows")
            return len(dirty)

    def settle(self, rounds: int) -> int:
        """All stages, until no host lists what is not held; gives how many repositories are still stale.

        Accounts that are not active, asked for again and again, are never all done.
        """
        stale = 0
        for _ in range(rounds):
            stale = sum(count for reason, count in self.survey().items() if reason != "due")
            self.fetch(asked_again=0)
            self.extract()
            self.load()
            self.counts()
            if not stale:
                break
        return stale

    def _fetch(self, shard: str) -> None:
        async def fetch(clients: HostClients) -> None:
            resolver = self._network.resolver(clients)
            await fetch_shard(self._lake, shard, clients, resolver, self._shards.fetch_settings())

        self._run(fetch)

    def _refetch(self, shard: str, dids: list[str] | None) -> None:
        async def refetch(clients: HostClients) -> None:
            resolver = self._network.resolver(clients)
            await refetch_shard(self._lake, shard, clients, resolver, self._shards.fetch_settings(), dids=dids)

        self._run(refetch)

    def _run(self, work: Callable[[HostClients], Coroutine[Any, Any, _Result]]) -> _Result:
        async def within() -> _Result:
            async with self._network.clients() as clients:
                return await work(clients)

        return asyncio.run(within())

    @contextmanager
    def _alone(self, shard: str) -> Generator[None]:
        """The shard for this stage alone; it waits for the one that has it."""
        while True:
            lock = self._lake.lock(f"chaos/{layout.shard_segment(shard)}")
            try:
                lock.__enter__()
                break
            except CorruptStateError:
                time.sleep(0.05)
        try:
            yield
        finally:
            lock.__exit__(None, None, None)


@contextmanager
def _told(what: str) -> Generator[None]:
    try:
        yield
    except UpstreamError as error:
        print(f"{what}: {error}", flush=True)


def stage_settings(settings: Settings) -> Settings:
    """Settings with which stale repositories are looked for all the time."""
    hours = timedelta(seconds=15) / timedelta(hours=1)
    return settings.model_copy(update={"refetch_min_age_hours": hours, "relook_hours": hours})


def _give_way() -> None:
    """Takes what processor time the network, which is made on this machine too, and the live events leave.

    Linux may share processors among sessions first, by a niceness of each session's own.
    """
    os.nice(_NICENESS)
    with suppress(FileNotFoundError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS), encoding="ascii")


def main() -> None:
    _give_way()
    stages = Stages(Settings.load())
    due_at = dict.fromkeys(sys.argv[1:], 0.0)
    while True:
        for name in due_at:
            started = time.monotonic()
            if started >= due_at[name]:
                with _told(name):
                    done = getattr(stages, name)()
                    print(f"{name}: {'' if done is None else done} in {time.monotonic() - started:.1f} s", flush=True)
                due_at[name] = time.monotonic() + (_SURVEY_SECONDS if name == "survey" else 0.0)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
