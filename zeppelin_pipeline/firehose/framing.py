"""How messages between a consumer and its verifiers are framed: a few parts of bytes, behind the sizes of all.

Parts are sent from where they lie, and received into one piece of memory, so that nothing is copied on the way.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

_MOST_PARTS: Final = 3
_HEAD_BYTES: Final = 8 * _MOST_PARTS
_NO_PART: Final = -1


def framed(*parts: memoryview) -> list[memoryview]:
    """A message as it is sent, in pieces."""
    sizes = np.full(_MOST_PARTS, _NO_PART, np.int64)
    sizes[: len(parts)] = [part.nbytes for part in parts]
    return [sizes.data.cast("B"), *(part.cast("B") for part in parts if part.nbytes)]


class MessageReader:
    """Reads messages from a file into memory that is used again for the next one."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._head = bytearray(_HEAD_BYTES)
        self._room = np.empty(0, np.uint8)

    def read(self) -> list[memoryview] | None:
        """The parts of the next message, which are good until the one after it; null when the other side has ended."""
        if self._source.readinto(self._head) < _HEAD_BYTES:  # type: ignore[attr-defined]  # typed for files alone
            return None
        sizes = _sizes(self._head)
        whole = sum(sizes)
        if whole > len(self._room):
            self._room = np.empty(whole, np.uint8)
        view = self._room[:whole].data
        is_whole = self._source.readinto(view) == whole  # type: ignore[attr-defined]
        return _parts(view, sizes) if is_whole else None


async def send(connection: socket.socket, message: Iterable[memoryview]) -> None:
    """Sends a message, as `framed` gives it, over a socket that does not block."""
    loop = asyncio.get_running_loop()
    for piece in message:
        await loop.sock_sendall(connection, piece)


async def receive(connection: socket.socket) -> list[memoryview]:
    """The parts of the next message, from a socket that does not block; raises EOFError when the other side ended."""
    head = bytearray(_HEAD_BYTES)
    await _receive_into(connection, memoryview(head))
    sizes = _sizes(head)
    room: npt.NDArray[np.uint8] = np.empty(sum(sizes), np.uint8)
    await _receive_into(connection, room.data)
    return _parts(room.data, sizes)


async def _receive_into(connection: socket.socket, room: memoryview) -> None:
    loop = asyncio.get_running_loop()
    while room.nbytes:
        size = await loop.sock_recv_into(connection, room)
        if not size:
            raise EOFError
        room = room[size:]


def _sizes(head: bytearray) -> list[int]:
    return [size for size in np.frombuffer(head, np.int64).tolist() if size != _NO_PART]


def _parts(whole: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    ends = np.cumsum(sizes).tolist()
    return [whole[end - size : end] for size, end in zip(sizes, ends, strict=True)]
