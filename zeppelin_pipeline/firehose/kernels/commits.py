"""`#commit` messages of the usual form proven in a kernel, a batch at once: read, hashed, their operation undone.

Usual are a did:plc, one operation, canonical DAG-CBOR with the fields in their order and no others, and a CAR whose
blocks have CIDs of the usual form. What is accepted here is accepted by `messages` and `verification` too, with the
same values; whatever else a message is, they say so. The signature is not checked here: the digest that it is over is
given.
"""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES
from zeppelin_pipeline.atproto.kernels.cbor import (
    ARRAY,
    BYTES,
    MAP,
    STACK_CELLS,
    expect,
    header,
    is_below,
    is_equal,
    link,
    skip_value,
    text,
    unsigned,
)
from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    Bytes,
    BytesOut,
    FlagsOut,
    Int64GridOut,
    Int64s,
    Number,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes, block_of, index_frames
from zeppelin_pipeline.atproto.kernels.inversion import CREATE, DELETE, UPDATE, undo
from zeppelin_pipeline.atproto.kernels.node import CID_IN_LINK, NULL
from zeppelin_pipeline.atproto.kernels.sha256 import DIGEST_BYTES, PADDING_BYTES, STATE_WORDS, digest, write_digest
from zeppelin_pipeline.atproto.kernels.spans import copy, is_same
from zeppelin_pipeline.atproto.kernels.tree import slash_in
from zeppelin_pipeline.atproto.mst import EMPTY_ROOT
from zeppelin_pipeline.firehose.messages import MAX_COMMIT_BLOCKS_BYTES
from zeppelin_pipeline.records.kernels.formats import DID_BYTES, is_did, time

#: The columns of what is found of a message. Offsets are into all messages; -1 where there is nothing.
SEQ: Final = 0
MICROS: Final = 1
REV: Final = 2
SINCE: Final = 3
DID: Final = 4
COMMIT: Final = 5
COMMIT_END: Final = 6
DATA: Final = 7
PREV_DATA: Final = 8
KEY: Final = 9
KEY_END: Final = 10
SLASH: Final = 11
NEW_CID: Final = 12
OLD_CID: Final = 13
RECORD: Final = 14
RECORD_END: Final = 15
SIGNATURE: Final = 16
COLUMNS: Final = 17

_CID: Final = 36
_TID_CHARACTERS: Final = 13
_SIGNATURE_BYTES: Final = 64
_MAX_COMMIT_BYTES: Final = 512
_MAX_BLOCKS: Final = 20_000
_CLOCK_BITS: Final = 10

_HEAD: Final = as_bytes(b"\xa2\x61t\x67#commit\x62op\x01")
_CAR_HEAD: Final = as_bytes(b"\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00")
_CAR_TAIL: Final = as_bytes(b"\x67version\x01")
_COMMIT_DID: Final = as_bytes(b"\xa6\x63did")
_COMMIT_REV: Final = as_bytes(b"\x63rev")
_COMMIT_SIG: Final = as_bytes(b"\x63sig\x58\x40")
_COMMIT_DATA: Final = as_bytes(b"\x64data")
_COMMIT_PREV: Final = as_bytes(b"\x64prev")
_COMMIT_VERSION: Final = as_bytes(b"\x67version\x03")
_OPS: Final = as_bytes(b"ops")
_REV: Final = as_bytes(b"rev")
_SEQ: Final = as_bytes(b"seq")
_REPO: Final = as_bytes(b"repo")
_TIME: Final = as_bytes(b"time")
_SINCE: Final = as_bytes(b"since")
_BLOCKS: Final = as_bytes(b"blocks")
_COMMIT: Final = as_bytes(b"commit")
_PREV_DATA: Final = as_bytes(b"prevData")
_IGNORED: Final = tuple(as_bytes(name) for name in (b"prev", b"blobs", b"rebase", b"tooBig"))
_OP_CID: Final = as_bytes(b"\x63cid")
_OP_PATH: Final = as_bytes(b"\x64path")
_OP_PREV: Final = as_bytes(b"\x64prev")
_OP_ACTION: Final = as_bytes(b"\x66action")
_ACTIONS: Final = (as_bytes(b"\x66create"), as_bytes(b"\x66update"), as_bytes(b"\x66delete"))
_EMPTY_ROOT: Final = as_bytes(EMPTY_ROOT)


def _tid_digits() -> Array:
    table = np.full(256, 255, np.uint8)
    table[as_bytes(b"234567abcdefghijklmnopqrstuvwxyz")] = np.arange(32, dtype=np.uint8)
    return table


_TID_DIGITS: Final = _tid_digits()


@part
def _tid(data: Array, at: Number, end: Number) -> tuple[Number, Number]:
    """The integer of a text that is a TID, and the offset behind it; both UNUSUAL otherwise."""
    start, behind = text(data, at, end)
    if start < 0 or behind - start != _TID_CHARACTERS or _TID_DIGITS[data[start]] >= 8:
        return UNUSUAL, UNUSUAL
    value = np.int64(0)
    for index in range(start, behind):
        digit = _TID_DIGITS[data[index]]
        if digit == 255:
            return UNUSUAL, UNUSUAL
        value = value << 5 | np.int64(digit)
    return value, behind


@part
def _link_or_null(data: Array, at: Number, end: Number) -> tuple[Number, Number]:
    """Where the CID of a link starts, -1 for null, and the offset behind it, which is UNUSUAL for anything else."""
    if at >= 0 and at < end and data[at] == NULL:
        return np.int64(-1), at + 1
    behind = link(data, at, end, 0x71)
    return (at + CID_IN_LINK, behind) if behind >= 0 else (np.int64(-1), np.int64(UNUSUAL))


@part
def _operation(data: Array, at: Number, end: Number, row: Array) -> tuple[Number, Number]:
    """The kind of the one operation, its key and CIDs put down, and the offset behind it; both UNUSUAL otherwise."""
    count, at = header(data, at, end, ARRAY)
    if count != 1:
        return UNUSUAL, UNUSUAL
    fields, at = header(data, at, end, MAP)
    row[NEW_CID], at = _link_or_null(data, expect(data, at, end, _OP_CID), end)
    row[KEY], row[KEY_END] = text(data, expect(data, at, end, _OP_PATH), end)
    at = row[KEY_END]
    row[OLD_CID] = -1
    if fields == 4:
        row[OLD_CID], at = _link_or_null(data, expect(data, at, end, _OP_PREV), end)
    elif fields != 3:
        return UNUSUAL, UNUSUAL
    at = expect(data, at, end, _OP_ACTION)
    kind = CREATE if row[OLD_CID] < 0 else DELETE if row[NEW_CID] < 0 else UPDATE
    if kind == CREATE and row[NEW_CID] < 0:
        return UNUSUAL, UNUSUAL
    behind = expect(data, at, end, _ACTIONS[kind])
    return (kind, behind) if behind >= 0 else (UNUSUAL, UNUSUAL)


@part
def _body(data: Array, at: Number, end: Number, row: Array, stack: Array) -> tuple[Number, Number, Number, Number]:
    """The kind of the operation, the CID of the commit, and where the CAR lies; all UNUSUAL otherwise."""
    nothing = np.int64(UNUSUAL)
    fields, at = header(data, at, end, MAP)
    row[:] = -1
    kind, commit, car, car_end = nothing, nothing, nothing, nothing
    has_since = has_time = False
    before, before_end = np.int64(0), np.int64(0)
    for _ in range(fields):
        name, at = text(data, at, end)
        if name < 0 or (before_end > 0 and not is_below(data, before, before_end, name, at)):
            return nothing, nothing, nothing, nothing
        before, before_end = name, at
        if is_equal(data, name, at, _OPS):
            kind, at = _operation(data, at, end, row)
        elif is_equal(data, name, at, _REV):
            row[REV], at = _tid(data, at, end)
        elif is_equal(data, name, at, _SEQ):
            row[SEQ], at = unsigned(data, at, end)
        elif is_equal(data, name, at, _REPO):
            row[DID], at = text(data, at, end)
            if row[DID] < 0 or not is_did(data, row[DID], at):
                at = nothing
        elif is_equal(data, name, at, _TIME):
            start, at = text(data, at, end)
            if start >= 0:
                row[MICROS], has_time, _ = time(data, start, at)
        elif is_equal(data, name, at, _SINCE):
            if at < end and data[at] == NULL:
                at += 1
            else:
                row[SINCE], at = _tid(data, at, end)
                has_since = True
        elif is_equal(data, name, at, _BLOCKS):
            size, car = header(data, at, end, BYTES)
            at = car_end = car + size if car >= 0 and car + size <= end else nothing
            if size > MAX_COMMIT_BLOCKS_BYTES:
                at = nothing
        elif is_equal(data, name, at, _COMMIT):
            commit, at = _link_or_null(data, at, end)
        elif is_equal(data, name, at, _PREV_DATA):
            row[PREV_DATA], at = _link_or_null(data, at, end)
        elif _is_ignored(data, name, at):
            at = skip_value(data, at, end, stack)
        else:
            at = nothing
        if at < 0:
            return nothing, nothing, nothing, nothing
    is_whole = at == end and row[SEQ] >= 0 and row[REV] >= 0 and row[DID] >= 0 and has_time and car >= 0
    if not is_whole or (has_since and row[SINCE] >= row[REV]) or (has_since and row[PREV_DATA] < 0):
        return nothing, nothing, nothing, nothing
    return kind, commit, car, car_end


@part
def _is_ignored(data: Array, start: Number, end: Number) -> bool:
    return (
        is_equal(data, start, end, _IGNORED[0])
        or is_equal(data, start, end, _IGNORED[1])
        or is_equal(data, start, end, _IGNORED[2])
        or is_equal(data, start, end, _IGNORED[3])
    )


@part
def _signed(
    data: Array, start: Number, end: Number, row: Array, most: Number, state: Array, padding: Array, out: Array
) -> bool:
    """Reads the commit, and puts down the digest that its signature is over: of all but the signature."""
    did_at, at = text(data, expect(data, start, end, _COMMIT_DID), end)
    if did_at < 0 or at - did_at != DID_BYTES or not is_same(data, did_at, data, row[DID], DID_BYTES):
        return False
    rev, before_sig = _tid(data, expect(data, at, end, _COMMIT_REV), end)
    row[SIGNATURE] = expect(data, before_sig, end, _COMMIT_SIG)
    if rev != row[REV] or rev >> _CLOCK_BITS > most or row[SIGNATURE] < 0:
        return False
    behind_sig = row[SIGNATURE] + _SIGNATURE_BYTES
    row[DATA], at = _link_or_null(data, expect(data, behind_sig, end, _COMMIT_DATA), end)
    _, at = _link_or_null(data, expect(data, at, end, _COMMIT_PREV), end)
    if row[DATA] < 0 or expect(data, at, end, _COMMIT_VERSION) != end or end - start > _MAX_COMMIT_BYTES:
        return False
    unsigned_bytes = np.empty(_MAX_COMMIT_BYTES, np.uint8)
    unsigned_bytes[0] = 0xA5
    size = copy(unsigned_bytes, 1, data, start + 1, before_sig)
    size = copy(unsigned_bytes, size, data, behind_sig, end)
    digest(unsigned_bytes, np.int64(0), np.int64(size), state, padding)
    write_digest(state, out)
    row[COMMIT], row[COMMIT_END] = start, end
    return True


@part
def _blocks_prove(
    data: Array, kind: Number, commit: Number, car: Number, car_end: Number, row: Array, most: Number, out: Array
) -> bool:
    """Whether the CAR has the commit, the record and the nodes, and undoing the operation gives the root before."""
    root_at = expect(data, car, car_end, _CAR_HEAD)
    at = expect(data, root_at + _CID, car_end, _CAR_TAIL) if root_at >= 0 else UNUSUAL
    if at < 0 or commit < 0 or not is_same(data, root_at, data, commit, _CID):
        return False
    blocks = data[car:car_end]
    is_usual, starts, ends, slots = index_frames(blocks, at - car, _MAX_BLOCKS)
    if not is_usual or len(starts) == 0:
        return False
    head = block_of(data, commit, blocks, starts, slots)
    state, padding = np.empty(STATE_WORDS, np.uint32), np.empty(PADDING_BYTES, np.uint8)
    if head < 0 or not _signed(data, car + starts[head], car + ends[head], row, most, state, padding, out):
        return False
    if row[NEW_CID] >= 0:
        record = block_of(data, row[NEW_CID], blocks, starts, slots)
        if record < 0:
            return False
        row[RECORD], row[RECORD_END] = car + starts[record], car + ends[record]
    root = block_of(data, row[DATA], blocks, starts, slots)
    if root < 0:
        return False
    # A CID that there is not is not looked at.
    new, old = max(row[NEW_CID], 0), max(row[OLD_CID], 0)
    before = np.empty(_CID, np.uint8)
    is_undone = undo(
        blocks, starts, ends, slots, root, data[row[KEY] : row[KEY_END]], kind,
        data[new : new + _CID], data[old : old + _CID], before,
    )  # fmt: skip
    if row[PREV_DATA] < 0:
        return is_undone and is_same(before, 0, _EMPTY_ROOT, 0, _CID)
    return is_undone and is_same(before, 0, data, row[PREV_DATA], _CID)


@kernel
def prove_commits(
    data: Bytes, offsets: Int64s, most_micros: Number, found: Int64GridOut, digests: BytesOut, is_proven: FlagsOut
) -> None:
    """Reads and proves messages; those of which it says nothing are for the careful code.

    Args:
        data: message i is `data[offsets[i]:offsets[i + 1]]`.
        offsets: of the messages.
        most_micros: what a rev may say at most.
        found: a row of COLUMNS numbers a message.
        digests: 32 bytes a message: what the signature at SIGNATURE is over.
        is_proven: for each message, whether all but its signature is proven and its row is filled.
    """
    stack = np.empty(STACK_CELLS, np.int64)
    for index in range(len(offsets) - 1):
        row, out = found[index], digests[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)]
        is_proven[index] = False
        end = offsets[index + 1]
        at = expect(data, offsets[index], end, _HEAD)
        if at < 0 or end - offsets[index] > MAX_FRAME_BYTES:
            continue
        kind, commit, car, car_end = _body(data, at, end, row, stack)
        if kind < 0:
            continue
        row[SLASH] = slash_in(data, row[KEY], row[KEY_END])
        if row[SLASH] >= 0:
            is_proven[index] = _blocks_prove(data, kind, commit, car, car_end, row, most_micros, out)
