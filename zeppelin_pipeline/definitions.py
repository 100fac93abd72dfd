"""Dagster's entry: `dagster-webserver -m zeppelin_pipeline.definitions`."""

from zeppelin_pipeline.defs.code_location import build_definitions
from zeppelin_pipeline.settings import Settings

defs = build_definitions(Settings.load())
