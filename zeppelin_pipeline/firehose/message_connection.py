"""A WebSocket connection that gives all messages that have come at once; what they say is `stream`'s business.

A relay sends whole binary messages, one behind the other (RFC 6455, 5.2): these are cut out of what was read here, as
the library takes ten times as long for each of them. Everything else is the library's: the handshake, pings, closing,
messages in parts, errors.
"""

import asyncio
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

#: Why a connection ends over which a larger message comes than was asked for.
FRAME_SIZE: Final = "frame-size"
#: Of pongs that the other side does not read, however many pings it sends; each takes 131 bytes at most.
_MOST_UNREAD_BYTES: Final = 65_536
_TOO_BIG: Final = 1009  # RFC 6455, 7.4.1
_HEAD_END: Final = b"\r\n\r\n"
#: The first byte of a whole binary message, without extensions.
_WHOLE: Final = 0x82
#: From this on a second byte says that the message is masked, as no server may.
_MASKED: Final = 0x80


class MessageConnection(ClientConnection):
    """A connection whose messages are taken by `receive`, and by nothing else.

    Nothing is read until those that were taken have been dealt with and more are asked for: a part of a message, and
    what was read at once, is all that is held.
    """

    def __init__(self, *given: Any, most_bytes: int, most_at_once: int | None, **named: Any) -> None:
        """Made by `websockets.connect`.

        Args:
            given: to the library.
            most_bytes: of a message.
            most_at_once: messages that may wait; a connection that brings more, as of empty ones, ends. Null for any
                number.
            named: to the library.
        """
        super().__init__(*given, **named)
        self._most_bytes = most_bytes
        self._most_at_once = most_at_once
        self._is_flooded = False
        self._arrived = asyncio.Event()
        self._messages: list[bytes | str] = []
        self._parts = bytearray()
        self._is_in_parts = self._is_text = False
        self._buffer = bytearray()
        self._wanted = 2  # bytes, before the next frame can be whole

    async def receive(self) -> list[bytes | str]:
        """All messages that have come; waits until there is one.

        Raises:
            ConnectionClosed: there will be no more.
        """
        self.transport.resume_reading()
        while not self._messages:
            if self.protocol.state is State.CLOSED:
                raise self.protocol.close_exc
            self._arrived.clear()
            await self._arrived.wait()
        messages, self._messages = self._messages, []
        return messages

    def reason_of(self, error: ConnectionClosed) -> str:
        """Why it ended, when it was not we who wanted it."""
        if self._is_flooded:
            return "frame-flood"
        return FRAME_SIZE if error.sent is not None and error.sent.code == _TOO_BIG else "connection-closed"

    def data_received(self, data: bytes) -> None:
        """Takes what was read at once."""
        if self.protocol.state is State.CONNECTING:
            data = self._finish_handshake(data)
        self._buffer += data
        if self.protocol.state is State.OPEN and len(self._buffer) >= self._wanted:
            self._cut()
        if self.protocol.state is State.CLOSING and self._buffer:
            super().data_received(bytes(self._buffer))
            self._buffer.clear()
        is_unread = self.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES
        if is_unread or (self._most_at_once is not None and len(self._messages) > self._most_at_once):
            self._is_flooded = True
            self._messages.clear()
            self.transport.abort()
        elif self._messages:
            self.transport.pause_reading()
            self._arrived.set()

    def process_event(self, event: Event) -> None:
        """Takes what the library has read: a handshake's answer, pings, and parts of messages."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        if event.opcode is not Opcode.CONT:
            self._is_text = event.opcode is Opcode.TEXT
        self._parts += event.data
        self._is_in_parts = not event.fin
        if event.fin:
            whole = bytes(self._parts)
            self._parts.clear()
            self._messages.append(whole.decode(errors="replace") if self._is_text else whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wakes who waits for messages."""
        super().connection_lost(exc)
        self._arrived.set()

    def _finish_handshake(self, data: bytes) -> bytes:
        """What is behind the head of the answer, which alone is given to the library; its end may come in two parts.

        Behind a refusal is its body, which is the library's too.
        """
        joined = bytes(self._buffer) + data
        end = joined.find(_HEAD_END)
        if end < 0:
            self._buffer[:] = joined[1 - len(_HEAD_END) :]
            super().data_received(data)
            return b""
        behind = end + len(_HEAD_END) - len(self._buffer)
        self._buffer.clear()
        super().data_received(data[:behind])
        if self.protocol.state is State.OPEN or behind == len(data):
            return data[behind:]
        super().data_received(data[behind:])
        return b""

    def _cut(self) -> None:
        """Takes all frames that are whole."""
        buffer, at = self._buffer, 0
        with memoryview(buffer) as view:
            while True:
                self._wanted = 2
                if len(buffer) - at < self._wanted:
                    break
                start, size = _payload(buffer, at)
                if buffer[at + 1] >= _MASKED or size > self._most_bytes:
                    super().data_received(bytes(view[at:]))  # which ends the connection for it
                    at = len(buffer)
                    break
                end = start + size
                self._wanted = end - at
                if end > len(buffer):
                    break
                if buffer[at] == _WHOLE and not self._is_in_parts:
                    self._messages.append(bytes(view[start:end]))
                else:
                    super().data_received(bytes(view[at:end]))
                    if self.protocol.state is not State.OPEN:
                        at = end
                        break
                at = end
        del buffer[:at]


def _payload(buffer: bytearray, at: int) -> tuple[int, int]:
    """Where the payload of a frame starts, and its size; a start behind the buffer when that cannot be told yet."""
    size = buffer[at + 1]
    if size < 126 or size >= _MASKED:
        return at + 2, size
    start = at + (4 if size == 126 else 10)
    return start, int.from_bytes(buffer[at + 2 : start], "big")
