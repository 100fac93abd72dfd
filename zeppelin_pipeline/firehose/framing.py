"""How messages between a consumer and its verifiers are framed: each with its length before it."""

import asyncio
from typing import BinaryIO, Final

_LENGTH_BYTES: Final = 8


def framed(data: bytes) -> bytes:
    """A message as it is sent."""
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def read_framed(source: BinaryIO) -> bytes | None:
    """The next message; null when the other side has ended."""
    head = source.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    size = int.from_bytes(head, "big")
    data = source.read(size)
    return data if len(data) == size else None


async def receive_framed(source: asyncio.StreamReader) -> bytes:
    """The next message; raises IncompleteReadError when the other side has ended."""
    size = int.from_bytes(await source.readexactly(_LENGTH_BYTES), "big")
    return await source.readexactly(size)
