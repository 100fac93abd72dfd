"""A process that verifies frames for another: requests on its standard input, tables on its standard output.

A request has three parts: the time, and where each frame starts and the last one ends; the accounts whose keys have
changed, a line each; and the frames, one behind the other. An answer is a table of events in Arrow's IPC format. The
process ends with its input, so that none is left behind; not by a signal that a terminal or a service manager sends to
all of a group, as what was received is still to be verified then.
"""

import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.firehose.events import EVENTS
from zeppelin_pipeline.firehose.framing import MessageReader, framed
from zeppelin_pipeline.firehose.signing_keys import SigningKeys
from zeppelin_pipeline.firehose.unsigned import unsigned_rows
from zeppelin_pipeline.firehose.verify_batch import Frames, verify_batch, warm_up
from zeppelin_pipeline.warehouse.connection import connect


def request_of(frames: Sequence[bytes], forget: Sequence[str], now_micros: int) -> list[memoryview]:
    """A request, as it is sent."""
    joined = Frames.of(frames)
    numbers = np.append(np.int64(now_micros), joined.offsets)
    return framed(numbers.data, memoryview("\n".join(forget).encode()), joined.data.data)


def table_of_answer(answer: Sequence[memoryview]) -> pa.Table:
    """The table of an answer, over the memory in which it was received."""
    with pa.ipc.open_stream(pa.py_buffer(answer[0])) as reader:
        return reader.read_all()


def _send(sink: BinaryIO, table: pa.Table) -> None:
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as writer:
        writer.write_table(table)
    sink.writelines(framed(memoryview(written.getvalue())))
    sink.flush()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answers until the input ends.

    The first message is the warehouse's URL; its answer, without events, says that everything is ready.
    """
    reader = MessageReader(source)
    greeting = reader.read()
    if greeting is None:
        return
    url = bytes(greeting[0]).decode()
    with ExitStack() as stack:
        connection = stack.enter_context(connect(url, application="zeppelin verifier", autocommit=True))
        keys = SigningKeys(connection)
        warm_up()
        _send(sink, EVENTS.empty_table())
        while (request := reader.read()) is not None:
            numbers, forget, data = request
            now_micros, offsets = np.split(np.frombuffer(numbers, np.int64), [1])
            keys.forget(bytes(forget).decode().split("\n"))
            events = verify_batch(Frames(as_bytes(data), offsets), keys.of, int(now_micros[0]))
            # A key that did not fit may have changed: it is read again at the account's next event.
            keys.forget(did for did, _ in unsigned_rows(events).values())
            _send(sink, events)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
