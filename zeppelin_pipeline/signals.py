"""When a command that goes on until somebody ends it ends."""

import asyncio
import signal


def set_on_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets, in the running loop."""
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    return until
