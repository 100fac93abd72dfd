"""A process that verifies frames for another: requests on its standard input, tables on its standard output.

A request is Arrow IPC with two columns, `frames` and `forget` (accounts whose keys have changed), an answer is a table
of events; each with its length before it. The process ends with its input, so that none is left behind.
"""

import sys
import time
from contextlib import ExitStack
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa

from zeppelin_pipeline.firehose.batches import unsigned_rows
from zeppelin_pipeline.firehose.events import EVENTS
from zeppelin_pipeline.firehose.framing import framed, read_framed
from zeppelin_pipeline.firehose.signing_keys import SigningKeys
from zeppelin_pipeline.firehose.verify_batch import verify_batch, warm_up
from zeppelin_pipeline.warehouse.connection import connect

REQUEST: Final = pa.schema([
    pa.field("frames", pa.list_(pa.large_binary())),
    pa.field("forget", pa.list_(pa.string())),
])  # fmt: skip


def encode_request(frames: list[bytes], forget: list[str]) -> bytes:
    """The bytes of a request, its length before it."""
    offsets = np.cumsum([0, *map(len, frames)], dtype=np.int64)
    # Nothing is asked of each frame: to have them made an array one by one takes as long as to verify them.
    joined = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(frames), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(frames))]
    )
    arrays = [
        pa.ListArray.from_arrays(pa.array([0, len(frames)], pa.int32()), joined),
        pa.array([forget], REQUEST.field("forget").type),
    ]
    return _framed_table(pa.Table.from_arrays(arrays, schema=REQUEST))


def decode_answer(data: bytes) -> pa.Table:
    """The table of an answer, or a request."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def _framed_table(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return framed(sink.getvalue().to_pybytes())


def _send(sink: BinaryIO, table: pa.Table) -> None:
    sink.write(_framed_table(table))
    sink.flush()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answers until the input ends.

    The first message is the warehouse's URL; its answer, without events, says that everything is ready.
    """
    url = read_framed(source)
    if url is None:
        return
    with ExitStack() as stack:
        connection = stack.enter_context(connect(url.decode(), application="zeppelin verifier", autocommit=True))
        keys = SigningKeys(connection)
        warm_up()
        _send(sink, EVENTS.empty_table())
        while (request := read_framed(source)) is not None:
            table = decode_answer(request)
            keys.forget(table["forget"][0].as_py())
            events = verify_batch(table["frames"][0].as_py(), keys.of, time.time_ns() // 1000)
            # A key that did not fit may have changed: it is read again at the account's next event.
            keys.forget(did for did, _ in unsigned_rows(events).values())
            _send(sink, events)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
