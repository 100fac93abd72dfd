"""All Dagster code: resources, partitions, assets, checks, sensors, schedules."""
