"""A whole backfill, asset by asset, on an ephemeral Dagster instance in the test's own process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dagster as dg

from zeppelin_pipeline.aggregates.counts import AGGREGATES
from zeppelin_pipeline.defs.code_location import build_resources, load_assets
from zeppelin_pipeline.defs.partitions import PDS_HOSTS, PLC_WINDOWS, REPO_SHARDS
from zeppelin_pipeline.identity.windows import window_key
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.key_ranges import range_names

#: Settings of an instance whose log of each step does not drown what a failing test says.
QUIET = {"python_logs": {"python_log_level": "WARNING"}}

SHARD_STAGES = ("fetched_repos", "record_batches", "warehouse_tables")
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(slots=True)
class Backfill:
    """A backfill in steps: its settings, its instance, and what each materialization said of itself.

    Attributes:
        metadata: of the newest materialization, by asset and partition (None for an asset that has none).
        checks: whether each passed, by its name and partition.
    """

    settings: Settings
    instance: dg.DagsterInstance
    metadata: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict[Any, Any])
    checks: dict[tuple[str, str | None], bool] = field(default_factory=dict[Any, bool])

    def run(self, *, before_fetch: Callable[[], None] = lambda: None) -> None:
        """From the list of hosts to the counts; `before_fetch` is called when the shards are planned."""
        self.plan()
        before_fetch()
        self.take_in(self.shards)
        self.finish()

    def take_in_identities(self) -> None:
        """The whole export of the PLC directory, and its accounts' handles verified."""
        self.instance.add_dynamic_partitions(str(PLC_WINDOWS.name), [window_key(0)])
        self.materialize("plc_operations", partition=window_key(0))
        self.materialize("verified_handles")

    def plan(self) -> None:
        """Hosts found, listed, and cut into shards."""
        self.materialize("pds_list")
        self.relist()
        self.materialize("shard_plan")

    @property
    def shards(self) -> list[str]:
        """The keys of the planned shards."""
        return list(self.instance.get_dynamic_partitions(str(REPO_SHARDS.name)))

    def relist(self) -> None:
        """Every host listed anew."""
        for host in self.instance.get_dynamic_partitions(str(PDS_HOSTS.name)):
            self.materialize("repo_listing", partition=host)

    def take_in(self, shards: Iterable[str]) -> None:
        """Shards fetched, extracted and loaded, each in one run."""
        for shard in shards:
            self.materialize(*SHARD_STAGES, partition=shard)

    def finish(self) -> None:
        """Indexes and counts."""
        self.materialize("warehouse_indexes")
        self.materialize("load_epoch")
        first, *_, last = range_names()
        for name in AGGREGATES:
            self.materialize(name, tags={RANGE_START: first, RANGE_END: last})

    def of(self, asset: str) -> list[dict[str, Any]]:
        """The metadata of each partition of an asset."""
        return [metadata for (name, _), metadata in self.metadata.items() if name == asset]

    def materialize(
        self,
        *assets: str,
        partition: str | None = None,
        tags: dict[str, str] | None = None,
        raises: bool = True,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run of some assets."""
        result = dg.materialize(
            _assets(),
            selection=list(assets),
            partition_key=partition,
            instance=self.instance,
            resources=build_resources(self.settings),
            tags=tags,
            run_config=config,
            raise_on_error=raises,
        )
        for asset in assets:
            for event in result.asset_materializations_for_node(asset):
                self.metadata[asset, partition] = {name: value.value for name, value in event.metadata.items()}
        for check in result.get_asset_check_evaluations():
            self.checks[check.check_name, partition] = check.passed
        return result


@cache
def _assets() -> list[dg.AssetsDefinition]:
    return load_assets()
