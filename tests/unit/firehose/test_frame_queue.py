"""The queue between the socket and the verifiers: bounded, in order, batches closed by number, bytes and time."""

import asyncio

from zeppelin_pipeline.firehose.frame_queue import FrameQueue, Outdated, QueueLimits


async def test_a_batch_closes_when_it_is_full() -> None:
    queue = FrameQueue(QueueLimits())
    for number in range(10):
        await queue.put(b"%d" % number)
    by_number = await queue.take(4, 1_000, 60)
    by_bytes = await queue.take(100, 3, 60)
    assert by_number is not None
    assert by_bytes is not None
    assert by_number.frames == [b"0", b"1", b"2", b"3"]
    assert by_bytes.frames == [b"4", b"5", b"6"]
    assert (len(queue), queue.bytes) == (3, 3)


async def test_a_batch_closes_a_while_after_its_first_frame() -> None:
    queue = FrameQueue(QueueLimits())
    await queue.put(b"only")
    batch = await asyncio.wait_for(queue.take(100, 1_000, 0.05), 10)
    assert batch is not None
    assert batch.frames == [b"only"]


async def test_a_reader_that_comes_late_is_given_what_waits_at_once() -> None:
    queue = FrameQueue(QueueLimits())
    await queue.put(b"first")
    await queue.put(b"second")
    await asyncio.sleep(0.1)
    batch = await asyncio.wait_for(queue.take(100, 1_000, 0.1), 0.09)
    assert batch is not None
    assert batch.frames == [b"first", b"second"]


async def test_a_writer_waits_while_the_queue_is_full_by_number_or_bytes() -> None:
    for limits in (QueueLimits(events=2, bytes=1_000), QueueLimits(events=100, bytes=2)):
        queue = FrameQueue(limits)
        writer = asyncio.create_task(_put_all(queue, [b"a", b"b", b"c"]))
        await asyncio.sleep(0.05)
        assert (len(queue), writer.done()) == (2, False)
        assert await queue.take(1, 1_000, 1) is not None
        await asyncio.wait_for(writer, 10)
        assert len(queue) == 2


async def test_a_gap_is_before_its_batch() -> None:
    queue = FrameQueue(QueueLimits())
    gap = Outdated(5, "outdated-cursor")
    await _put_all(queue, [b"before", gap, b"after"])
    queue.close()
    first, second, third = [await queue.take(100, 1_000, 60) for _ in range(3)]
    assert first is not None
    assert second is not None
    assert (first.gap, first.frames) == (None, [b"before"])
    assert (second.gap, second.frames) == (gap, [b"after"])
    assert third is None


async def test_a_closed_queue_gives_what_is_left_and_then_nothing() -> None:
    queue = FrameQueue(QueueLimits())
    await queue.put(b"last")
    queue.close()
    batch = await queue.take(100, 1_000, 60)
    assert batch is not None
    assert batch.frames == [b"last"]
    assert await queue.take(100, 1_000, 60) is None


async def _put_all(queue: FrameQueue, items: list[bytes | Outdated]) -> None:
    for item in items:
        await queue.put(item)
