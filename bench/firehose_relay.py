"""A relay that replays a file of events at a rate: `python -m bench.firehose_relay FILE [--rate N] [--last SEQ]`.

Its first line of output is its URL. A cursor is obeyed. At a rate, an event's `time` is set to when it was due, whether
or not the consumer let it be sent then, so that the consumer's lag is true.
"""

import argparse
import asyncio
import re
import time
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve

from bench.firehose_events import read_events
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.devnet.serving import message_head

_TIME: Final = re.compile(rb"dtime\x78\x18[0-9T:.-]{23}Z")
_TICK_SECONDS: Final = 0.005
#: Frames are handed to the transport so many at once, while it holds no more bytes than that.
_AT_ONCE: Final = 200
_MOST_WAITING_BYTES: Final = 1 << 20


def _stamped(frame: bytes, millis: int) -> bytes:
    return _TIME.sub(b"dtime\x78\x18" + format_datetime(millis * 1000).encode(), frame, count=1)


def _framed(frame: bytes) -> bytes:
    """A message, encoded here: the library takes longer for it than all else does."""
    return message_head(len(frame)) + frame


async def _replay(connection: ServerConnection, frames: list[bytes], rate: float, first: int) -> None:
    assert connection.request is not None
    query = parse_qs(urlsplit(connection.request.path).query)
    first = position = max(int(query.get("cursor", ["0"])[0]), first - 1)
    began, began_millis = time.monotonic(), time.time_ns() // 1_000_000
    while position < len(frames) and connection.close_code is None:
        due = len(frames) if not rate else min(first + int((time.monotonic() - began) * rate), len(frames))
        while position < due and connection.transport.get_write_buffer_size() < _MOST_WAITING_BYTES:
            part = range(position, min(position + _AT_ONCE, due))
            messages = (
                _stamped(frames[place], began_millis + int((place - first) / rate * 1000)) if rate else frames[place]
                for place in part
            )
            connection.transport.write(b"".join(map(_framed, messages)))
            position = part.stop
            await asyncio.sleep(0)
        await asyncio.sleep(_TICK_SECONDS)
    await connection.wait_closed()


async def _serve(path: Path, rate: float, first: int, last: int | None) -> None:
    frames = list(read_events(path))[:last]

    async def handle(connection: ServerConnection) -> None:
        await _replay(connection, frames, rate, first)

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"http://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0: as fast as they are taken")
    parser.add_argument("--first", type=int, default=1, help="the first event that is sent")
    parser.add_argument("--last", type=int, help="the last event that is sent")
    given = parser.parse_args()
    asyncio.run(_serve(given.path, given.rate, given.first, given.last))
