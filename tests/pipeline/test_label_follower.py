"""One labeler followed, whose messages go nowhere: how fast they are taken, and what is counted."""

import asyncio
from typing import cast

from websockets.asyncio.server import ServerConnection, serve

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.firehose.cursors import HeldStream
from zeppelin_pipeline.firehose.stream import StreamSettings
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.labels.follower import FollowLimits, LabelerFollower, LabelWriter
from zeppelin_pipeline.labels.labelers import Labeler
from zeppelin_pipeline.labels.memory import LabelMemory, MemoryLimits
from zeppelin_pipeline.labels.merge import MergeResult

OUTDATED = encode_frame(1, "#info", {"name": "OutdatedCursor"})


class Writer:
    """Counts transactions."""

    def __init__(self) -> None:
        self.merges = 0

    def merge(self, *_: object) -> MergeResult:
        self.merges += 1
        return MergeResult(0, 0, {})


async def test_a_labeler_that_says_all_the_time_that_labels_are_lost_is_taken_no_faster_than_others() -> None:
    async def play(connection: ServerConnection) -> None:
        for _ in range(200):
            await connection.send(OUTDATED)
        await connection.wait_closed()

    writer = Writer()
    async with serve(play, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        key = PrivateKey.generate("k256").public_key.to_multibase()
        labeler = Labeler("did:plc:" + "a" * 24, f"http://127.0.0.1:{port}", key)
        follower = LabelerFollower(
            labeler,
            HeldStream(labeler.stream, 1, 5),
            cast("LabelWriter", writer),
            cast("DidResolver", None),
            StreamSettings(allow_private=True),
            FollowLimits(seconds=0.1),
            LabelMemory(MemoryLimits()),
        )
        task = asyncio.create_task(follower.run())
        await asyncio.sleep(0.5)
        follower.stop()
        await asyncio.wait_for(task, 10)

    assert 1 <= writer.merges <= 6
    assert follower.refused["outdated-cursor"] >= 1
