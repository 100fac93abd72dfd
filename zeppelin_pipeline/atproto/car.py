"""CAR files, version 1: framing by hand, forwards, without copying blocks.

The reader speaks of offsets only, so that it works on bytes, memoryviews and memory-mapped files alike, and whoever
wants a block cuts it out. It checks the framing; whether a block has the hash that its CID names is asked by
`repository`.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from mmap import mmap
from typing import Any

import libipld

from zeppelin_pipeline.atproto.cbor_pieces import link
from zeppelin_pipeline.atproto.cid import CID_BYTES, DAG_CBOR_PREFIX, parse_cid, read_varint
from zeppelin_pipeline.errors import InvalidDataError

CarData = bytes | memoryview | mmap

MAX_HEADER_BYTES = 65_536
DEFAULT_MAX_BLOCKS = 5_000_000
"""A bound for an index in memory; at the network's mean of 250 bytes a record it is beyond a CAR of 1 GB."""

# What is written before the one root, the header's length first, and behind it.
_HEADER_START, _HEADER_END = b"\x3a\xa2\x65roots\x81", b"\x67version\x01"


def read_car(data: CarData) -> tuple[list[bytes], Iterator[tuple[bytes, int, int]]]:
    """Read the header of a CAR; give the blocks one by one as the second value is drawn from.

    Returns:
        the roots, and (CID, start, end) of each block in the order of the file.

    Raises:
        InvalidDataError: `car-truncated`, `car-varint`, `car-header`; while drawing, also `car-block-cid` when a
            frame is too short for its CID or starts with no CID.
    """
    roots, at = read_header(data)
    return roots, read_frames(data, at)


def read_header(data: CarData) -> tuple[list[bytes], int]:
    """Read the header of a CAR; return the roots and where the first frame starts. Raises as `read_car`."""
    header_bytes, start = read_varint(data, 0, "car")
    if header_bytes > MAX_HEADER_BYTES:
        raise InvalidDataError("car-header", f"{header_bytes} bytes")
    end = start + header_bytes
    if end > len(data):
        raise InvalidDataError("car-truncated", "within the header")
    return _read_roots(bytes(data[start:end])), end


def index_blocks(data: CarData, max_blocks: int = DEFAULT_MAX_BLOCKS) -> tuple[bytes, dict[bytes, tuple[int, int]]]:
    """Read a whole CAR that has one root; return the root and where each block lies.

    A block that comes twice is kept once.

    Raises:
        InvalidDataError: as `read_car`; `car-roots` unless there is exactly one; `car-blocks` for more than max_blocks.
    """
    roots, frames = read_car(data)
    root = single_root(roots)
    blocks: dict[bytes, tuple[int, int]] = {}
    for cid, start, end in islice(frames, max_blocks):
        blocks[cid] = start, end
    if next(frames, None) is not None:
        raise InvalidDataError("car-blocks", f"more than {max_blocks} blocks")
    return root, blocks


def single_root(roots: list[bytes]) -> bytes:
    """Return the one root of a repository's CAR.

    Raises:
        InvalidDataError: `car-roots` unless there is exactly one.
    """
    if len(roots) != 1:
        raise InvalidDataError("car-roots", f"{len(roots)} roots")
    return roots[0]


def write_car(root: bytes, blocks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write a CAR with one root from (CID, block) pairs, in their order."""
    pieces = [_HEADER_START, link(root), _HEADER_END]
    for cid, block in blocks:
        pieces += (_varint(len(cid) + len(block)), cid, block)
    return b"".join(pieces)


def _read_roots(header: bytes) -> list[bytes]:
    try:
        value: Any = libipld.decode_dag_cbor(header)
    except (ValueError, RecursionError) as error:
        raise InvalidDataError("car-header", str(error)[:200]) from error
    if not isinstance(value, dict) or value.get("version") != 1:
        raise InvalidDataError("car-header", "not of version 1")
    roots = value.get("roots")
    if not isinstance(roots, list) or not all(isinstance(root, bytes) for root in roots):
        raise InvalidDataError("car-header", "the roots are not a list of links")
    return roots


def read_frames(data: CarData, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Give (CID, start, end) of each block from the frame that starts at an offset on; raises as `read_car`."""
    size = len(data)
    while at < size:
        # Nearly all frames are shorter than 16 KiB: their length takes one or two bytes.
        frame_bytes = data[at]
        if frame_bytes < 0x80:
            start = at + 1
        elif at + 1 < size and 0 < data[at + 1] < 0x80:
            frame_bytes += (data[at + 1] << 7) - 0x80
            start = at + 2
        else:
            frame_bytes, start = read_varint(data, at, "car")
        at = start + frame_bytes
        if at > size:
            raise InvalidDataError("car-truncated", "within a block")
        block_start = start + CID_BYTES
        cid = bytes(data[start:block_start])
        if block_start > at or not cid.startswith(DAG_CBOR_PREFIX):
            cid, block_start = _read_block_cid(data[start:at], start)
        yield cid, block_start, at


def _read_block_cid(frame: bytes | memoryview, start: int) -> tuple[bytes, int]:
    try:
        cid, cid_bytes = parse_cid(frame, 0)
    except InvalidDataError as error:
        raise InvalidDataError("car-block-cid", error.reason) from error
    return cid, start + cid_bytes


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
