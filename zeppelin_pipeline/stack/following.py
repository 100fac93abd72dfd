"""What the commands that follow a stream share: how hosts are asked, and when it ends."""

import asyncio
import signal
from typing import cast

from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.resources import NetworkResource
from zeppelin_pipeline.hosts.client import ClientSettings
from zeppelin_pipeline.settings import Settings


def client_settings(settings: Settings) -> ClientSettings:
    """How hosts are asked, by the settings of a deployment: as Dagster's runs ask them."""
    return cast("NetworkResource", build_resources(settings)["network"]).client_settings()


def set_on_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets, in the running loop."""
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    return until
