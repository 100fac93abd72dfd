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
        "network": NetworkResource(
            relay_urls=list(settings.relay_urls),
            plc_url=settings.plc_url,
            hosts=list(settings.hosts),
            scrape_state=settings.scrape_state,
            allow_private_hosts=settings.allow_private_hosts,
            user_agent=settings.user_agent,
            max_in_flight=settings.max_in_flight,
            request_timeout_seconds=settings.request_timeout_seconds,
            fetch_attempts=settings.fetch_attempts,
            did_web_seconds=settings.did_web_seconds,
        ),
        "identity": IdentityResource(
            plc_window_operations=settings.plc_window_operations,
            plc_pages_per_minute=settings.plc_pages_per_minute,
            plc_fresh_seconds=settings.plc_fresh_seconds,
            dns_servers=list(settings.dns_servers),
            handle_resolvers=list(settings.handle_resolvers),
            handle_in_flight=settings.handle_in_flight,
            handle_domain_per_second=settings.handle_domain_per_second,
            handle_domain_in_flight=settings.handle_domain_in_flight,
            handle_days=settings.handle_days,
        ),
        "firehose_settings": FirehoseResource(
            is_enabled=settings.firehose_enabled,
            relays=list(settings.followed_relays),
            run_seconds=settings.firehose_run_minutes * 60,
            verifiers=settings.firehose_verifiers,
            batch_events=settings.firehose_batch_events,
            batch_seconds=settings.firehose_batch_seconds,
            queue_bytes=settings.firehose_queue_bytes,
            lag_alert_seconds=settings.firehose_lag_alert_seconds,
        ),
        "labels_settings": LabelsResource(
            is_enabled=settings.labels_enabled,
            run_seconds=settings.labels_run_minutes * 60,
            most_labelers=settings.labels_most_labelers,
            memory_bytes=settings.labels_memory_bytes,
            labels_per_second=settings.labels_per_second,
            bytes_per_second=settings.labels_bytes_per_second,
            rows=settings.labels_rows,
            quarantine=settings.labels_quarantine,
        ),
        "shards": ShardResource(
            shard_size=settings.shard_size,
            tail_limit=settings.tail_limit,
            tail_hosts=settings.tail_hosts,
            car_cap_bytes=settings.car_cap_bytes,
            pack_part_bytes=settings.pack_part_bytes,
            tolerate_failed=settings.tolerate_failed,
            batch_rows=settings.batch_rows,
            refetch_limit=settings.refetch_limit,
            refetch_min_age_hours=settings.refetch_min_age_hours,
            relook_hours=settings.relook_hours,
            car_retention_days=settings.car_retention_days,
            lake_removal_hours=settings.lake_removal_hours,
        ),
    }
