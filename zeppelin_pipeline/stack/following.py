"""What the commands that follow a stream share: how hosts are asked, and when it ends."""

import asyncio
import signal

from zeppelin_pipeline.hosts.client import ClientSettings, Timeouts
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.settings import Settings


def client_settings(settings: Settings) -> ClientSettings:
    """How hosts are asked, by the settings of a deployment."""
    return ClientSettings(
        allow_private=settings.allow_private_hosts,
        max_in_flight=settings.max_in_flight,
        user_agent=settings.user_agent,
        timeouts=Timeouts(read=settings.request_timeout_seconds),
        retry=RetryPolicy(attempts=settings.fetch_attempts),
    )


def set_on_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets, in the running loop."""
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    return until
