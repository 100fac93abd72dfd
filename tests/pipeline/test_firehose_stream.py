"""A relay's stream against relays that err, fall silent, forget, and send what nobody can read."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES, encode_error_frame, encode_frame
from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.firehose.frame_queue import FrameQueue, Outdated, QueueLimits
from zeppelin_pipeline.firehose.stream import FutureCursorError, RelayStream, StreamSettings
from zeppelin_pipeline.hosts.limits import RetryPolicy

QUICK = RetryPolicy(base_seconds=0.01, cap_seconds=0.02)
Script = Callable[[ServerConnection], Awaitable[None]]


def frame(seq: int) -> bytes:
    return encode_frame(1, "#account", {"seq": seq, "did": "did:plc:a", "active": True, "time": ""})


class Relay:
    """Plays one script a connection, the last one ever after; remembers which cursors it was asked for."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.paths: list[str] = []

    async def play(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path.partition("?")[2])
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        await script(connection)


def sending(*frames: bytes | str, then: float = 0.0) -> Script:
    async def play(connection: ServerConnection) -> None:
        for each in frames:
            await connection.send(each)
        if then:
            await connection.wait_closed()

    return play


silence = sending(then=60)


@asynccontextmanager
async def followed(
    relay: Relay,
    cursor: int | None = 5,
    *,
    idle_seconds: float = 30.0,
    limits: QueueLimits | None = None,
    settings: StreamSettings | None = None,
) -> AsyncGenerator[tuple[RelayStream, FrameQueue, "asyncio.Task[None]"]]:
    """A stream that reads from the relay, until the end of the block."""
    async with serve(relay.play, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        queue = FrameQueue(limits or QueueLimits())
        settings = settings or StreamSettings(allow_private=True, idle_seconds=idle_seconds, retry=QUICK)
        stream = RelayStream(f"http://127.0.0.1:{port}", cursor, queue, settings)
        task = asyncio.create_task(stream.run())
        try:
            yield stream, queue, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            server.close()


async def taken(queue: FrameQueue, events: int) -> list[bytes]:
    frames: list[bytes] = []
    async with asyncio.timeout(20):
        while len(frames) < events:
            batch = await queue.take(events - len(frames), 1 << 20, 0.01)
            assert batch is not None
            frames += batch.frames
    return frames


async def taken_until(queue: FrameQueue, last: bytes) -> list[bytes]:
    frames: list[bytes] = []
    async with asyncio.timeout(20):
        while last not in frames:
            batch = await queue.take(1_000, 1 << 20, 0.01)
            assert batch is not None
            frames += batch.frames
    return frames


async def test_it_goes_on_behind_the_last_frame_when_a_connection_breaks() -> None:
    relay = Relay(sending(frame(6), frame(7)), sending(frame(8)), silence)
    async with followed(relay) as (stream, queue, _):
        assert await taken(queue, 3) == [frame(6), frame(7), frame(8)]
        assert relay.paths[:2] == ["cursor=5", "cursor=7"]
        assert stream.endings["connection-closed"] >= 1


async def test_without_a_cursor_it_begins_at_the_present() -> None:
    relay = Relay(sending(frame(6), then=60))
    async with followed(relay, None) as (_, queue, _task):
        assert await taken(queue, 1) == [frame(6)]
        assert relay.paths == [""]


async def test_a_consumer_that_is_too_slow_connects_again() -> None:
    relay = Relay(sending(frame(6), encode_error_frame("ConsumerTooSlow")), sending(frame(7), then=60))
    async with followed(relay) as (stream, queue, _):
        assert await taken(queue, 2) == [frame(6), frame(7)]
        assert relay.paths == ["cursor=5", "cursor=6"]
        assert stream.endings["stream-ConsumerTooSlow"] == 1


async def test_an_error_of_any_name_can_be_stored_and_a_thousand_of_them_are_remembered_as_some() -> None:
    names = [f"\0{number}" for number in range(120)]
    relay = Relay(*(sending(encode_error_frame(name)) for name in names), sending(frame(6), then=60))
    retry = RetryPolicy(base_seconds=0.0001, cap_seconds=0.0001)
    async with followed(relay, settings=StreamSettings(allow_private=True, retry=retry)) as (stream, queue, _):
        assert await taken(queue, 1) == [frame(6)]
        assert stream.ended_by == "stream-\ufffd119"
        assert sum(stream.endings.values()) == len(names)
        assert len(stream.endings) < len(names)


async def test_a_cursor_of_the_future_ends_it() -> None:
    relay = Relay(sending(encode_error_frame("FutureCursor", "Cursor in the future.")))
    async with followed(relay) as (_, _queue, task):
        with pytest.raises(FutureCursorError, match="cursor 5"):
            await asyncio.wait_for(task, 20)


async def test_an_old_cursor_is_a_gap_before_the_next_frame() -> None:
    info = encode_frame(1, "#info", {"name": "OutdatedCursor"})
    other = encode_frame(1, "#info", {"name": "Weather"})
    relay = Relay(sending(other, info, frame(90), then=60))
    async with followed(relay) as (_, queue, _task):
        batch = await queue.take(10, 1 << 20, 0.2)
        assert batch is not None
        assert (batch.gap, batch.frames) == (Outdated(5, "outdated-cursor"), [frame(90)])


async def test_silence_is_a_dead_connection() -> None:
    relay = Relay(silence, sending(frame(6), then=60))
    async with followed(relay, idle_seconds=0.3) as (stream, queue, _):
        assert await taken(queue, 1) == [frame(6)]
        assert stream.endings["idle"] == 1


async def test_a_frame_beyond_the_limit_breaks_the_connection() -> None:
    relay = Relay(sending(bytes(MAX_FRAME_BYTES + 1)), sending(frame(6), then=60))
    async with followed(relay) as (stream, queue, _):
        assert await taken(queue, 1) == [frame(6)]
        assert stream.endings["frame-size"] == 1


async def test_more_empty_frames_than_a_message_has_room_for_break_the_connection() -> None:
    async def flood(connection: ServerConnection) -> None:
        connection.transport.write(b"\x82\x00" * 50_000)
        await connection.wait_closed()

    relay = Relay(flood, sending(frame(6), then=60))
    bounded = StreamSettings(allow_private=True, retry=QUICK, receive_bytes=20_000, most_at_once=500)
    async with followed(relay, limits=QueueLimits(events=10), settings=bounded) as (stream, queue, _):
        got = await taken_until(queue, frame(6))
        assert len(got) < 1_000
        assert stream.endings["frame-flood"] == 1


async def test_pings_whose_answers_nobody_reads_break_the_connection() -> None:
    async def flood(connection: ServerConnection) -> None:
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.transport.pause_reading()
        while not connection.transport.is_closing():
            connection.transport.write((b"\x89\x7d" + bytes(125)) * 1_000)
            await asyncio.sleep(0)

    relay = Relay(flood, sending(frame(6), then=60))
    async with followed(relay) as (stream, queue, _):
        assert await taken(queue, 1) == [frame(6)]
        assert stream.endings["frame-flood"] == 1


async def test_a_relay_that_sends_elsewhere_is_not_followed_there_and_asked_again() -> None:
    asked: list[str] = []

    def redirect(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        answer = connection.respond(302, "elsewhere")
        answer.headers["Location"] = "ws://127.0.0.1:9/"
        return answer

    async with serve(silence, "127.0.0.1", 0, process_request=redirect) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = StreamSettings(allow_private=True, retry=QUICK)
        stream = RelayStream(f"http://127.0.0.1:{port}", None, FrameQueue(QueueLimits()), settings)
        task = asyncio.create_task(stream.run())
        async with asyncio.timeout(20):
            while len(asked) < 3:  # noqa: ASYNC110 - it is the relay that is waited for
                await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
    assert stream.ended_by == "handshake-failed"


async def test_a_text_breaks_the_connection() -> None:
    relay = Relay(sending("hello"), sending(frame(6), then=60))
    async with followed(relay) as (stream, queue, _):
        assert await taken(queue, 1) == [frame(6)]
        assert stream.endings["frame-text"] == 1


def raw(data: bytes, head: int = 0x82) -> bytes:
    """A frame of a server (RFC 6455, 5.2)."""
    size = len(data)
    if size < 126:
        return bytes((head, size)) + data
    return (
        bytes((head, 126)) + size.to_bytes(2, "big") + data
        if size < 1 << 16
        else bytes((head, 127)) + size.to_bytes(8, "big") + data
    )


async def test_messages_are_the_same_however_they_are_cut_into_parts_and_packets() -> None:
    sizes = (0, 125, 126, 65_535, 65_536)
    messages = [b"%d" % place + bytes(size) for place, size in enumerate(sizes)]
    parted = raw(b"in ", 0x02) + raw(b"ping", 0x89) + raw(b"three ", 0x00) + raw(b"parts", 0x80)
    written = b"".join(map(raw, messages)) + parted + raw(frame(6))

    def written_in_pieces_of(size: int) -> Script:
        async def play(connection: ServerConnection) -> None:
            for start in range(0, len(written), size):
                connection.transport.write(written[start : start + size])
                await asyncio.sleep(0)
            await connection.wait_closed()

        return play

    for size in (len(written), 40_000, 997):
        async with followed(Relay(written_in_pieces_of(size))) as (_, queue, _task):
            assert await taken(queue, len(messages) + 2) == [*messages, b"in three parts", frame(6)]


@pytest.mark.parametrize(
    "broken",
    [raw(b"in ", 0x02) + raw(b"one"), bytes((0x82, 0x80)) + bytes(4), raw(b"", 0xC2), raw(b"", 0x83)],
    ids=["a message within another", "masked", "reserved bit", "unknown opcode"],
)
async def test_frames_that_no_server_may_send_break_the_connection(broken: bytes) -> None:
    async def play(connection: ServerConnection) -> None:
        connection.transport.write(raw(frame(6)) + broken + raw(frame(7)))
        await connection.wait_closed()

    async with followed(Relay(play, sending(frame(8), then=60))) as (stream, queue, _):
        assert await taken(queue, 2) == [frame(6), frame(8)]
        assert stream.endings["connection-closed"] == 1


async def test_what_cannot_be_read_is_handed_on_to_be_counted() -> None:
    odd = encode({"t": "#commit", "op": 1, "x": 1}) + encode({"seq": 7})
    relay = Relay(sending(b"\xff\xff", odd, frame(8), then=60))
    async with followed(relay) as (stream, queue, _):
        assert await taken(queue, 3) == [b"\xff\xff", odd, frame(8)]
        stream.drop("frame-broken")
        await asyncio.sleep(0.2)
        assert stream.endings["frame-broken"] == 1
        assert relay.paths == ["cursor=5", "cursor=8"]


async def test_a_full_queue_stops_the_reading() -> None:
    relay = Relay(sending(*(frame(number) for number in range(6, 2_000)), then=60))
    async with followed(relay, limits=QueueLimits(events=10)) as (_, queue, _task):
        await asyncio.sleep(0.5)
        assert len(queue) == 10
        assert await taken(queue, 1_994) == [frame(number) for number in range(6, 2_000)]


async def test_a_private_address_is_not_connected_to() -> None:
    stream = RelayStream("http://127.0.0.1:1", None, FrameQueue(QueueLimits()), StreamSettings())
    with pytest.raises(UpstreamError, match="address-refused"):
        await asyncio.wait_for(stream.run(), 20)


async def test_a_relay_that_is_down_is_tried_again() -> None:
    stream = RelayStream(
        "http://127.0.0.1:1", None, FrameQueue(QueueLimits()), StreamSettings(allow_private=True, retry=QUICK)
    )
    task = asyncio.create_task(stream.run())
    await asyncio.sleep(0.3)
    task.cancel()
    assert stream.endings["connect-failed"] > 2
