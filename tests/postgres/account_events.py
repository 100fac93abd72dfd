"""`#account` events applied to a warehouse, at once or after they waited in files. No tests here."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from tests.factories import WarehouseFactory
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.firehose.application import apply_batch
from zeppelin_pipeline.firehose.batches import sort_events
from zeppelin_pipeline.firehose.cursors import HeldStream, StreamName, release_stream, take_stream
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.spool import Spool
from zeppelin_pipeline.firehose.stream import ENDPOINT
from zeppelin_pipeline.firehose.verify_frames import verify_frames
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space


def tell(warehouse: WarehouseFactory, relay: str, said: Mapping[str, str | None]) -> None:
    """A batch of `#account` events of a stream: why each DID is not active, null for one that is."""
    table, now_micros = _events(said)
    with _held(warehouse, relay) as held:
        apply_batch(warehouse.connection, _keys(warehouse), held, sort_events(table, now_micros))


def put_into_files(warehouse: WarehouseFactory, lake: Lake, relay: str, said: Mapping[str, str | None]) -> None:
    """As `tell`, but it waits as it does while the indexes do not stand."""
    table, now_micros = _events(said)
    spool = Spool(lake)
    with _held(warehouse, relay) as held:
        spool.write(warehouse.connection, held, table, sort_events(table, now_micros), None, now_micros)
        spool.flush(warehouse.connection, held)


def apply_files(warehouse: WarehouseFactory, lake: Lake, relay: str) -> int:
    """What the next consumer does first once the indexes stand; gives how many events had waited."""
    with _held(warehouse, relay) as held:
        return Spool(lake).drain(warehouse.connection, _keys(warehouse), held)


def _events(said: Mapping[str, str | None]) -> tuple[pa.Table, int]:
    frames = [
        encode_frame(1, "#account", {"seq": seq, "did": did, "active": status is None, "status": status, "time": ""})
        for seq, (did, status) in enumerate(said.items(), 1)
    ]
    now_micros = time.time_ns() // 1000
    return table_of(verify_frames(frames, lambda _dids: {}, now_micros)), now_micros


def _keys(warehouse: WarehouseFactory) -> BatchKeys:
    return BatchKeys(read_key_space(warehouse.connection))


@contextmanager
def _held(warehouse: WarehouseFactory, relay: str) -> Generator[HeldStream]:
    held = take_stream(warehouse.connection, StreamName(relay, ENDPOINT))
    assert held is not None
    yield held
    release_stream(warehouse.connection, held)
