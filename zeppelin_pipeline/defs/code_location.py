"""All definitions of the code location, with their resources filled from the settings."""

import dagster as dg

from zeppelin_pipeline.defs.assets import compaction, counts, identity, network, quarantine, shards, stale, warehouse
from zeppelin_pipeline.defs.firehose import FIREHOSE_JOBS, FIREHOSE_SENSORS, firehose
from zeppelin_pipeline.defs.identity_sensors import IDENTITY_SENSORS
from zeppelin_pipeline.defs.labels import LABEL_JOBS, LABEL_SENSORS, labels
from zeppelin_pipeline.defs.resources import (
    FirehoseResource,
    IdentityResource,
    LabelsResource,
    LakeResource,
    NetworkResource,
    ShardResource,
    Warehouse,
)
from zeppelin_pipeline.defs.schedules import JOBS, SCHEDULES
from zeppelin_pipeline.defs.sensors import SENSORS
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.indexes import BuildLimits


def build_definitions(settings: Settings) -> dg.Definitions:
    """Everything that Dagster is to know; steps run in the run's own process."""
    return dg.Definitions(
        assets=[*load_assets(), firehose, labels],
        jobs=[*JOBS, *FIREHOSE_JOBS, *LABEL_JOBS],
        schedules=SCHEDULES,
        sensors=[*SENSORS, *IDENTITY_SENSORS, *FIREHOSE_SENSORS, *LABEL_SENSORS],
        resources=build_resources(settings),
        executor=dg.in_process_executor,
    )


def load_assets() -> list[dg.AssetsDefinition]:
    """The assets of all modules, their resources not yet given."""
    loaded = dg.load_assets_from_modules([compaction, counts, identity, network, quarantine, shards, stale, warehouse])
    return [asset for asset in loaded if isinstance(asset, dg.AssetsDefinition)]


def build_resources(settings: Settings) -> dict[str, object]:
    """The resources by the names that assets ask for."""
    return {
        "lake": LakeResource(settings.lake_url, settings.lake_options),
        "warehouse": Warehouse(
            settings.postgres_url,
            BuildLimits(settings.index_concurrency, settings.index_memory_bytes, settings.index_parallel_workers),
        ),
        "network": NetworkResource.of(settings),
        "identity": IdentityResource.of(settings),
        "firehose_settings": FirehoseResource.of(settings),
        "labels_settings": LabelsResource.of(settings),
        "shards": ShardResource.of(settings),
    }
