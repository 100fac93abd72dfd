"""Follows, blocks and list items in a kernel: `{$type, subject, createdAt}`, the subject a did:plc, and more."""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.cbor import expect, is_equal, text
from zeppelin_pipeline.atproto.kernels.compilation import (
    Bytes,
    FlagsOut,
    Int32s,
    Int64CubeOut,
    Int64s,
    Int64sOut,
    Number,
    kernel,
)
from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.records.kernels.engagement import created_at, type_and
from zeppelin_pipeline.records.kernels.formats import CID_BYTES, DID_BYTES, is_did, record_uri, strong_ref

_LIST: Final = as_bytes(b"\x64list")
_VIA: Final = as_bytes(b"\x63via")
_SUBJECT: Final = as_bytes(b"\x67subject")


@kernel
def read_relations(
    data: Bytes,
    offsets: Int64s,
    nsid: Bytes,
    names: Bytes,
    name_offsets: Int64s,
    positions: Int64sOut,
    spans: Int64CubeOut,
    micros: Int64sOut,
    is_exact: FlagsOut,
) -> Number:
    """Reads the blocks `data[offsets[i]:offsets[i + 1]]`; gives how many were taken, each into the next row.

    The arguments are those of `read_engagements`; a `via` is checked, and has no columns.
    """
    via_spans = np.empty((2, 2), np.int64)
    via_cid = np.empty(CID_BYTES, np.uint8)
    count = 0
    for position in range(len(offsets) - 1):
        at, end = offsets[position], offsets[position + 1]
        if at >= end or (data[at] != 0xA3 and data[at] != 0xA4):
            continue
        has_via = data[at] == 0xA4
        at += 1
        if has_via:
            at, _ = strong_ref(data, expect(data, at, end, _VIA), end, names, name_offsets, via_spans, via_cid)
        start, at = text(data, type_and(data, at, end, nsid, _SUBJECT), end)
        if start < 0 or not is_did(data, start, at):
            continue
        moment, is_time, is_exact_time = created_at(data, at, end)
        if not is_time:
            continue
        positions[count] = position
        spans[count, 0, 0] = start
        spans[count, 0, 1] = at
        micros[count] = moment
        is_exact[count] = is_exact_time and not has_via
        count += 1
    return count


@kernel
def read_list_items(
    data: Bytes,
    offsets: Int64s,
    nsid: Bytes,
    lists: Bytes,
    owners: Bytes,
    owner_offsets: Int64s,
    owner_of: Int32s,
    positions: Int64sOut,
    spans: Int64CubeOut,
    micros: Int64sOut,
    is_exact: FlagsOut,
) -> Number:
    """Reads `{list, $type, subject, createdAt}`, the list one of the item's owner; gives how many were taken.

    Args:
        data: the blocks.
        offsets: of the blocks.
        nsid: the collection.
        lists: the collection of lists.
        owners: DIDs.
        owner_offsets: of the DIDs.
        owner_of: the number of the DID of each block's account.
        positions: as for `read_engagements`.
        spans: gets where the subject and the list's record key are.
        micros: gets the time.
        is_exact: gets whether the columns and the owner give the block back.
    """
    name_offsets = np.zeros(2, np.int64)
    name_offsets[1] = len(lists)
    count = 0
    for position in range(len(offsets) - 1):
        at, end = offsets[position], offsets[position + 1]
        if at >= end or data[at] != 0xA4:
            continue
        uri_at, at = text(data, expect(data, at + 1, end, _LIST), end)
        if uri_at < 0:
            continue
        owner = owner_of[position]
        did = owners[owner_offsets[owner] : owner_offsets[owner + 1]]
        did_at, _ = record_uri(data, uri_at, at, lists, name_offsets)
        if did_at < 0 or not is_equal(data, did_at, did_at + DID_BYTES, did):
            continue
        spans[count, 1, 0] = did_at + DID_BYTES + 2 + len(lists)
        spans[count, 1, 1] = at
        start, at = text(data, type_and(data, at, end, nsid, _SUBJECT), end)
        if start < 0 or not is_did(data, start, at):
            continue
        moment, is_time, is_exact_time = created_at(data, at, end)
        if not is_time:
            continue
        positions[count] = position
        spans[count, 0, 0] = start
        spans[count, 0, 1] = at
        micros[count] = moment
        is_exact[count] = is_exact_time
        count += 1
    return count
