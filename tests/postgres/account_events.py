"""`#account` events applied to a warehouse. No tests here."""

import time
from collections.abc import Mapping

from tests.factories import WarehouseFactory
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.firehose.application import apply_batch
from zeppelin_pipeline.firehose.batches import sort_events
from zeppelin_pipeline.firehose.cursors import StreamName, release_stream, take_stream
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.stream import ENDPOINT
from zeppelin_pipeline.firehose.verify_frames import verify_frames
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space


def tell(warehouse: WarehouseFactory, relay: str, said: Mapping[str, str | None]) -> None:
    """A batch of `#account` events of a stream: why each DID is not active, null for one that is."""
    frames = [
        encode_frame(1, "#account", {"seq": seq, "did": did, "active": status is None, "status": status, "time": ""})
        for seq, (did, status) in enumerate(said.items(), 1)
    ]
    now_micros = time.time_ns() // 1000
    batch = sort_events(table_of(verify_frames(frames, lambda _dids: {}, now_micros)), now_micros)
    held = take_stream(warehouse.connection, StreamName(relay, ENDPOINT))
    assert held is not None
    apply_batch(warehouse.connection, BatchKeys(read_key_space(warehouse.connection)), held, batch)
    release_stream(warehouse.connection, held)
