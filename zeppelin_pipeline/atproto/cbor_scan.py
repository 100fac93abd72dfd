"""Walks the headers of CBOR without building values, to name the rules that a block breaks.

`dag_cbor` asks here when libipld refuses a block or when its bytes could hold something that libipld lets pass. The
walk has a stack bounded by MAX_DEPTH and takes time linear in the input: declared lengths are compared with what is
left, and nothing is allocated.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from zeppelin_pipeline.errors import InvalidDataError

MAX_DEPTH = 32
"""Containers and tags within one another, the limit of the AT Protocol's data model; a record's own map counts as
one."""

_LINK_HEADS = (b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20", b"\xd8\x2a\x58\x25\x00\x01\x55\x12\x20")
_LINK_BYTES = 41
_INDEFINITE = -1
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_ARGUMENT_FORMATS = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}
_ARGUMENT_MINIMA = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_BREAK = 0xFF
_MAX_INTEGER = 2**63 - 1


@dataclass(slots=True)
class _Open:
    """A container that is being read: how many items are left, and for a map the last key."""

    left: int
    is_map: bool
    is_key_next: bool
    last_key: bytes | None = None


def find_faults(data: bytes) -> list[str]:
    """Walk one CBOR item; return each rule of the data model that it breaks, once, as met.

    A rule is a reason: `cbor-float`, `cbor-simple`, `cbor-integer` (beyond 64 bits with a sign), `cbor-minimal` (a
    longer header than needed), `cbor-indefinite`, `cbor-tag`, `cbor-link` (a CID of another form), `cbor-map-key`
    (not text), `cbor-map-order`, `cbor-duplicate-key` (of neighbours). Texts are not checked to be UTF-8.

    Raises:
        InvalidDataError: the bytes are not one well-formed item of bounded depth: `cbor-truncated`, `cbor-trailing`,
            `cbor-reserved`, `cbor-depth`.
    """
    return _Walk(data).run()


class _Walk:
    """One walk over one block."""

    __slots__ = ("_at", "_data", "_faults", "_open")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._open: list[_Open] = []
        self._faults: list[str] = []

    def run(self) -> list[str]:
        """Walk to the end of the item."""
        self._item()
        while self._open:
            top = self._open[-1]
            if top.left == _INDEFINITE and self._at_break():
                self._at += 1
                self._open.pop()
            elif top.left == 0:
                self._open.pop()
            else:
                self._next_of(top)
        if self._at != len(self._data):
            raise InvalidDataError("cbor-trailing", f"{len(self._data) - self._at} bytes behind the item")
        return self._faults

    def _next_of(self, top: _Open) -> None:
        if top.left != _INDEFINITE:
            top.left -= 1
        if top.is_map and top.is_key_next:
            self._key(top)
        else:
            self._item()
        top.is_key_next = not top.is_key_next

    def _key(self, top: _Open) -> None:
        start = self._at
        if start < len(self._data) and self._data[start] >> 5 != _TEXT:
            self._note("cbor-map-key")
            self._item()
            return
        depth = len(self._open)
        self._item()
        if len(self._open) > depth:
            return
        key = self._data[start : self._at]
        last = top.last_key
        top.last_key = key
        # The header leads with the length, so that encoded keys sort as DAG-CBOR wants: by length, then by bytes.
        if last is not None and key <= last:
            self._note("cbor-duplicate-key" if key == last else "cbor-map-order")

    def _item(self) -> None:
        major, info, argument = self._head()
        if major <= _NEGATIVE:
            if argument > _MAX_INTEGER:
                self._note("cbor-integer")
        elif major <= _TEXT:
            self._string(major, argument)
        elif major == _ARRAY:
            self._enter(_Open(argument, is_map=False, is_key_next=False), argument)
        elif major == _MAP:
            left = argument if argument == _INDEFINITE else 2 * argument
            self._enter(_Open(left, is_map=True, is_key_next=True), left)
        elif major == _TAG:
            self._tag()
        else:
            self._simple(info, argument)

    def _head(self) -> tuple[int, int, int]:
        if self._at >= len(self._data):
            raise InvalidDataError("cbor-truncated", "the data end where an item must start")
        first = self._data[self._at]
        major, info = first >> 5, first & 0x1F
        self._at += 1
        if info < 24:
            return major, info, info
        if info == 31 and _BYTES <= major <= _MAP:
            self._note("cbor-indefinite")
            return major, info, _INDEFINITE
        if info > 27:
            raise InvalidDataError("cbor-reserved", f"header byte {first:#04x}")
        end = self._at + _ARGUMENT_BYTES[info]
        if end > len(self._data):
            raise InvalidDataError("cbor-truncated", "within a header")
        (argument,) = struct.unpack_from(_ARGUMENT_FORMATS[info], self._data, self._at)
        self._at = end
        if major != _SIMPLE and argument < _ARGUMENT_MINIMA[info]:
            self._note("cbor-minimal")
        return major, info, argument

    def _string(self, major: int, length: int) -> None:
        if length == _INDEFINITE:
            self._chunks(major)
            return
        self._at += length
        if self._at > len(self._data):
            raise InvalidDataError("cbor-truncated", f"a string of {length} bytes reaches beyond the end")

    def _chunks(self, major: int) -> None:
        while not self._at_break():
            chunk_major, _info, length = self._head()
            if chunk_major != major or length == _INDEFINITE:
                raise InvalidDataError("cbor-reserved", "a chunk of another kind within a string")
            self._string(major, length)
        self._at += 1

    def _enter(self, container: _Open, items: int) -> None:
        if items > len(self._data) - self._at:
            raise InvalidDataError("cbor-truncated", f"{items} items declared, {len(self._data) - self._at} bytes left")
        if len(self._open) >= MAX_DEPTH:
            raise InvalidDataError("cbor-depth", f"more than {MAX_DEPTH} levels")
        self._open.append(container)

    def _tag(self) -> None:
        start = self._data.rfind(b"\xd8\x2a", self._at - 2, self._at)
        if start < 0:
            self._note("cbor-tag")
        elif self._data.startswith(_LINK_HEADS, start) and start + _LINK_BYTES <= len(self._data):
            self._at = start + _LINK_BYTES
            return
        else:
            self._note("cbor-link")
        self._enter(_Open(1, is_map=False, is_key_next=False), 1)

    def _simple(self, info: int, argument: int) -> None:
        if info >= 25:
            self._note("cbor-float")
        elif info == 24 and argument < 32:
            raise InvalidDataError("cbor-reserved", f"simple value {argument} in two bytes")
        elif not 20 <= argument <= 22:
            self._note("cbor-simple")

    def _at_break(self) -> bool:
        if self._at >= len(self._data):
            raise InvalidDataError("cbor-truncated", "an open-ended item never ends")
        return self._data[self._at] == _BREAK

    def _note(self, fault: str) -> None:
        if fault not in self._faults:
            self._faults.append(fault)
