"""Our pipeline over the official network: every asset, in order, on an ephemeral Dagster instance in this process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from tests.network.official import Network
from zeppelin_pipeline.aggregates.counts import AGGREGATES, range_names
from zeppelin_pipeline.defs.code_location import build_definitions
from zeppelin_pipeline.defs.partitions import PDS_HOSTS, REPO_SHARDS
from zeppelin_pipeline.settings import Settings

SHARD_STAGES = ("fetched_repos", "record_batches", "warehouse_tables")
QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def settings_for(network: Network, postgres_url: str, home: Path) -> Settings:
    """Both PDSes are known by hand; one has more accounts than a bundle takes and more than go in one shard."""
    return Settings.load(
        home=home,
        postgres_url=postgres_url,
        hosts=tuple(network.pds_urls.values()),
        relay_urls=(),
        plc_url=network.plc_url,
        allow_private_hosts=True,
        tail_limit=5,
        shard_size=4,
    )


@dataclass(slots=True)
class Backfill:
    """One backfill: its settings, and what each materialization said of itself."""

    settings: Settings
    metadata: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict[Any, Any])
    checks: dict[str, bool] = field(default_factory=dict[str, bool])

    def run(self, *, before_fetch: Callable[[], None]) -> None:
        """From the list of hosts to the counts; `before_fetch` is called when the shards are planned."""
        with dg.DagsterInstance.ephemeral() as instance:
            self._materialize(instance, "pds_list")
            for host in instance.get_dynamic_partitions(str(PDS_HOSTS.name)):
                self._materialize(instance, "repo_listing", host)
            self._materialize(instance, "shard_plan")
            before_fetch()
            for shard in instance.get_dynamic_partitions(str(REPO_SHARDS.name)):
                for stage in SHARD_STAGES:
                    self._materialize(instance, stage, shard)
            self._materialize(instance, "warehouse_indexes")
            self._materialize(instance, "load_epoch")
            for name in AGGREGATES:
                self._materialize_ranges(instance, name)

    def of(self, asset: str) -> list[dict[str, Any]]:
        """The metadata of each materialization of an asset."""
        return [metadata for (name, _), metadata in self.metadata.items() if name == asset]

    def _materialize_ranges(self, instance: dg.DagsterInstance, asset: str) -> None:
        first, *_, last = range_names()
        self._materialize(instance, asset, tags={RANGE_START: first, RANGE_END: last})

    def _materialize(
        self,
        instance: dg.DagsterInstance,
        asset: str,
        partition: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        result = dg.materialize(
            build_definitions(self.settings).resolve_asset_graph().assets_defs,
            selection=[asset],
            partition_key=partition,
            instance=instance,
            run_config=QUIET,
            tags=tags,
        )
        for event in result.asset_materializations_for_node(asset):
            self.metadata[asset, partition] = {name: value.value for name, value in event.metadata.items()}
        for check in result.get_asset_check_evaluations():
            self.checks[f"{check.check_name} {partition}"] = check.passed
