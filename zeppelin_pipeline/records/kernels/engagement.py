"""Likes and reposts in a kernel: `{$type, subject, createdAt}`, and `via` a repost or nothing."""

from typing import Final

from zeppelin_pipeline.atproto.kernels.cbor import expect, is_equal, text
from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    ByteCubeOut,
    Bytes,
    FlagsOut,
    Int32sOut,
    Int64CubeOut,
    Int64s,
    Int64sOut,
    Number,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.records.kernels.formats import strong_ref, time

#: Columns of texts: subject_did, subject_rkey, via_did, via_rkey.
SPANS: Final = 4
#: Columns of CIDs: subject_cid, via_cid.
CIDS: Final = 2

_VIA: Final = as_bytes(b"\x63via")
_TYPE: Final = as_bytes(b"\x65$type")
_SUBJECT: Final = as_bytes(b"\x67subject")
_CREATED_AT: Final = as_bytes(b"\x69createdAt")


@part
def type_and(data: Array, at: Number, end: Number, nsid: Array, name: Array) -> Number:
    """The offset behind `$type`, which must be the collection, and the name of the field that comes next."""
    start, behind = text(data, expect(data, at, end, _TYPE), end)
    if start < 0 or not is_equal(data, start, behind, nsid):
        return UNUSUAL
    return expect(data, behind, end, name)


@part
def created_at(data: Array, at: Number, end: Number) -> tuple[Number, bool, bool]:
    """The last field, `createdAt`, up to the end of the block, as `formats.time`."""
    start, behind = text(data, expect(data, at, end, _CREATED_AT), end)
    if start < 0 or behind != end:
        return 0, False, False
    return time(data, start, behind)


@kernel
def read_engagements(
    data: Bytes,
    offsets: Int64s,
    nsid: Bytes,
    names: Bytes,
    name_offsets: Int64s,
    via_name: Number,
    positions: Int64sOut,
    spans: Int64CubeOut,
    cids: ByteCubeOut,
    collections: Int32sOut,
    micros: Int64sOut,
    is_exact: FlagsOut,
) -> Number:
    """Reads the blocks `data[offsets[i]:offsets[i + 1]]`; gives how many were taken, each into the next row.

    Args:
        data: the blocks.
        offsets: of the blocks.
        nsid: the collection.
        names: of the collections that a subject may be of.
        name_offsets: of the names.
        via_name: the one of them that `via` may be of.
        positions: gets which blocks were taken.
        spans: gets, by row and column of `SPANS`, where a text is, the end -1 where there is none.
        cids: gets the CIDs, by row and column of `CIDS`, 36 bytes each; zeros where there is none.
        collections: gets the number of the subject's collection.
        micros: gets the time.
        is_exact: gets whether the columns give the block back.
    """
    count = 0
    for position in range(len(offsets) - 1):
        at, end = offsets[position], offsets[position + 1]
        if at >= end or (data[at] != 0xA3 and data[at] != 0xA4):
            continue
        has_via = data[at] == 0xA4
        at += 1
        row = spans[count]
        if has_via:
            at, name = strong_ref(data, expect(data, at, end, _VIA), end, names, name_offsets, row[2:4], cids[count, 1])
            if at < 0 or name != via_name:
                continue
        else:
            row[2, 0], row[2, 1], row[3, 0], row[3, 1] = 0, -1, 0, -1
            cids[count, 1, :] = 0
        at = type_and(data, at, end, nsid, _SUBJECT)
        at, name = strong_ref(data, at, end, names, name_offsets, row[0:2], cids[count, 0])
        if at < 0:
            continue
        moment, is_time, is_exact_time = created_at(data, at, end)
        if not is_time:
            continue
        positions[count] = position
        collections[count] = name
        micros[count] = moment
        is_exact[count] = is_exact_time
        count += 1
    return count
