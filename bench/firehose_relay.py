"""A relay that replays a file of events at a rate: `python -m bench.firehose_relay FILE [--rate N]`.

Its first line of output is its URL. A cursor is obeyed. At a rate, an event's `time` is set to when it is sent, so that
the consumer's lag is true.
"""

import argparse
import asyncio
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve

from bench.firehose_events import read_events
from zeppelin_pipeline.atproto.syntax import format_datetime

_TIME = re.compile(rb"dtime\x78\x18[0-9T:.-]{23}Z")
_TICK_SECONDS = 0.005


def _stamped(frame: bytes) -> bytes:
    now = format_datetime(time.time_ns() // 1_000_000 * 1000).encode()
    return _TIME.sub(b"dtime\x78\x18" + now, frame, count=1)


async def _replay(connection: ServerConnection, frames: list[bytes], rate: float, burst: int) -> None:
    assert connection.request is not None
    query = parse_qs(urlsplit(connection.request.path).query)
    start = int(query.get("cursor", ["0"])[0])
    for frame in frames[start:burst]:
        await connection.send(frame)
    began, sent, position = time.monotonic(), 0, max(start, burst)
    while position < len(frames):
        due = len(frames) if not rate else int((time.monotonic() - began) * rate)
        while sent < due and position < len(frames):
            await connection.send(_stamped(frames[position]) if rate else frames[position])
            sent, position = sent + 1, position + 1
        await asyncio.sleep(_TICK_SECONDS)
    await connection.wait_closed()


async def _serve(path: Path, rate: float, burst: int) -> None:
    frames = list(read_events(path))

    async def handle(connection: ServerConnection) -> None:
        await _replay(connection, frames, rate, burst)

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"http://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0: as fast as they are taken")
    parser.add_argument("--burst", type=int, default=0, help="so many events first, at once")
    given = parser.parse_args()
    asyncio.run(_serve(given.path, given.rate, given.burst))
