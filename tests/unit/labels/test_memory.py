"""The memory of all labelers: shares that add up, and turns at large messages."""

import asyncio

import pytest

from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES
from zeppelin_pipeline.errors import ConfigurationError, UpstreamError
from zeppelin_pipeline.firehose.frame_queue import FrameQueue
from zeppelin_pipeline.firehose.message_connection import FRAME_SIZE
from zeppelin_pipeline.labels.memory import LabelMemory, MemoryLimits

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(("size", "labelers"), [(768 * MEBIBYTE, 2_000), (4_096 * MEBIBYTE, 10_000), (100_000_000, 50)])
def test_all_shares_and_turns_together_are_no_more_than_was_given(size: int, labelers: int):
    limits = MemoryLimits(size, labelers)

    shares = limits.labelers * (8 * limits.part_bytes + 500 * 300)
    assert limits.turns > 0
    assert shares + limits.turns * 4 * MAX_FRAME_BYTES <= size
    assert limits.queue.bytes == limits.part_bytes


def test_shares_that_no_label_would_fit_in_are_refused_and_what_would_do_is_said():
    with pytest.raises(ConfigurationError, match="for 2000 labelers, who need 487381333"):
        MemoryLimits(300 * MEBIBYTE, 2_000)
    assert MemoryLimits(487_400_000, 2_000).part_bytes >= 4_096


async def test_who_brings_a_large_message_waits_for_its_turn_and_keeps_it_until_that_is_taken_in():
    limits = MemoryLimits(100_000_000, 10, turn_seconds=60.0)
    assert limits.turns == 1
    memory, queue = LabelMemory(limits), FrameQueue(limits.queue)
    async with memory.admit("idle", queue) as most_bytes:
        assert most_bytes == limits.part_bytes
    order: list[str] = []

    async def first() -> None:
        async with memory.admit(FRAME_SIZE, queue) as size:
            assert size == MAX_FRAME_BYTES
            await queue.put(b"large")
            raise UpstreamError("reset", "", is_transient=True)

    async def second() -> None:
        await asyncio.sleep(0.01)
        async with memory.admit(FRAME_SIZE, FrameQueue(limits.queue)):
            order.append("its turn")

    async def take_in() -> None:
        await asyncio.sleep(0.05)
        assert await queue.take(10, 10, 0.0) is not None
        await asyncio.sleep(0.05)
        order.append("taken in")
        queue.close()

    async with asyncio.timeout(20):
        ended = await asyncio.gather(first(), second(), take_in(), return_exceptions=True)
    assert [str(each) for each in ended] == ["reset", "None", "None"]
    assert order == ["taken in", "its turn"]


async def test_a_turn_that_takes_too_long_is_over():
    memory = LabelMemory(MemoryLimits(100_000_000, 10, turn_seconds=0.05))

    with pytest.raises(UpstreamError, match="turn-over"):
        async with memory.admit(FRAME_SIZE, FrameQueue(memory.limits.queue)):
            await asyncio.sleep(60)
