"""A node with an entry less, or one more, in a kernel: what undoing a change makes of the node that it concerns."""

from zeppelin_pipeline.atproto.kernels.cbor import LINK_BYTES
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL
from zeppelin_pipeline.atproto.kernels.node import (
    NAME_BYTES,
    NULL,
    next_key,
    read_entry,
)
from zeppelin_pipeline.atproto.kernels.node_writing import (
    copy_link,
    header_bytes,
    shared_bytes,
    write_entry,
    write_head,
    write_key,
    write_name,
)
from zeppelin_pipeline.atproto.kernels.spans import copy


@part
def without_entry(
    out: Array,
    data: Array,
    node: tuple[Number, Number, Number],
    entry: tuple[Number, Number, Number, Number],
    number: Number,
    entries: Number,
    key: Array,
    key_size: Number,
    shared: Number,
    behind: Array,
    merged: Array,
) -> Number:
    """Writes a node without one of its entries; gives its size, or UNUSUAL.

    Args:
        out: gets the node.
        data: with the node as it is.
        node: where its first entry, its last field and its end are.
        entry: where the link before the entry, the entry, its own link and its end are.
        number: of the entry in the node.
        entries: of the node.
        key: the entry's.
        key_size: of the key.
        shared: bytes of the key that the one before it has too.
        behind: gets the key behind it.
        merged: the link, or null, that takes the place of those on its two sides.
    """
    first_at, tail, end = node
    gap, entry_at, _, entry_end = entry
    is_gap_null = data[gap] == NULL
    size = write_head(out, entries - 1)
    if number > 0:
        size = copy(out, size, data, first_at, gap)
        size = copy_link(out, size, merged, 0)
        size = copy(out, size, data, gap + (1 if is_gap_null else LINK_BYTES), entry_at)
    if number + 1 < entries:
        # The entry behind shares with the one before what both shared with the one that goes.
        own_size, text_at, next_shared, link_at, _ = read_entry(data, entry_end, tail)
        if own_size < 0:
            return UNUSUAL
        next_size = next_key(behind, copy(behind, 0, key, 0, key_size), data, text_at, own_size, next_shared)
        if next_size < 0:
            return UNUSUAL
        kept = min(shared, next_shared)
        size = write_key(out, size, behind, kept, next_size, kept)
        size = copy(out, size, data, link_at - NAME_BYTES, tail)
    if number > 0:
        return copy(out, size, data, tail, end)
    return copy_link(out, write_name(out, size, 0x6C), merged, 0)


@part
def with_entry(
    out: Array,
    data: Array,
    node: tuple[Number, Number, Number],
    gap: Number,
    entry: tuple[Number, Number, Number, Number],
    number: Number,
    entries: Number,
    key: Array,
    key_size: Number,
    previous: tuple[Array, Number],
    following: tuple[Array, Number],
    below: Array,
    above: Array,
    record: Array,
) -> Number:
    """Writes a node with one entry more; gives its size.

    Args:
        out: gets the node.
        data: with the node as it is.
        node: where its first entry, its last field and its end are.
        gap: where the link is that the key comes into.
        entry: of the entry behind the gap: where it starts, where its key's own bytes start, how many these are, how
            many bytes it shares; its start is that of the last field when there is none.
        number: of the new entry in the node.
        entries: of the node as it is.
        key: that comes.
        key_size: of it.
        previous: the key before it, and its size.
        following: the key behind it, and its size.
        below: the link, or null, on the one side of the key.
        above: on the other.
        record: the key's CID.
    """
    first_at, tail, end = node
    at, suffix_at, suffix_size, shared = entry
    size = write_head(out, entries + 1)
    if number > 0:
        size = copy(out, size, data, first_at, gap)
        size = copy_link(out, size, below, 0)
        size = copy(out, size, data, gap + (1 if data[gap] == NULL else LINK_BYTES), at)
    prefix = shared_bytes(previous[0], previous[1], key, key_size)
    size = write_entry(out, size, key, prefix, key_size, above, record)
    if at < tail:
        kept = shared_bytes(following[0], following[1], key, key_size)
        size = write_key(out, size, following[0], kept, following[1], kept)
        size = copy(out, size, data, suffix_at + suffix_size + header_bytes(shared) + 2, tail)
    if number > 0:
        return copy(out, size, data, tail, end)
    return copy_link(out, write_name(out, size, 0x6C), below, 0)
