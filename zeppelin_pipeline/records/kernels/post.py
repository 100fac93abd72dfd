"""Posts in a kernel: fields in any number that the order of keys allows; unknown ones are stepped over, as values."""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.cbor import (
    MAP,
    STACK_CELLS,
    characters,
    expect,
    header,
    is_below,
    is_equal,
    skip_value,
    text,
)
from zeppelin_pipeline.atproto.kernels.compilation import (
    Array,
    ByteCubeOut,
    Bytes,
    Int16sOut,
    Int32GridOut,
    Int64CubeOut,
    Int64GridOut,
    Int64s,
    Int64sOut,
    Number,
    kernel,
    part,
)
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.records.kernels.embeds import embed
from zeppelin_pipeline.records.kernels.facets import LISTS, facets, langs, self_labels, tags
from zeppelin_pipeline.records.kernels.formats import is_short_text, strong_ref, time

#: Columns of texts: text, three references' DID and record key (reply_root, reply_parent, quote), external_uri.
SPANS: Final = 8
_TEXT_SPAN: Final = 0
_ROOT_SPANS: Final = 1
_PARENT_SPANS: Final = 3
_QUOTE_SPANS: Final = 5
_URI_SPAN: Final = 7
#: References: reply_root, reply_parent, quote.
REFERENCES: Final = 3

_TEXT_BYTES: Final = 3000
_TEXT_CHARACTERS: Final = 300
_MAX_BYTES: Final = 1_000_000

_TAGS: Final = as_bytes(b"tags")
_TEXT: Final = as_bytes(b"text")
_TYPE: Final = as_bytes(b"$type")
_EMBED: Final = as_bytes(b"embed")
_LANGS: Final = as_bytes(b"langs")
_REPLY: Final = as_bytes(b"reply")
_FACETS: Final = as_bytes(b"facets")
_LABELS: Final = as_bytes(b"labels")
_ENTITIES: Final = as_bytes(b"entities")
_CREATED_AT: Final = as_bytes(b"createdAt")
_ROOT: Final = as_bytes(b"\xa2\x64root")
_TYPED_ROOT: Final = as_bytes(b"\xa3\x64root")
_REPLY_TYPE: Final = as_bytes(b"\x65$type\x78\x1bapp.bsky.feed.post#replyRef")
_PARENT: Final = as_bytes(b"\x66parent")


@part
def _clear(spans: Array, cids: Array, collections: Array) -> None:
    for index in range(SPANS):
        spans[index, 0] = 0
        spans[index, 1] = -1
    for index in range(REFERENCES):
        collections[index] = UNUSUAL
        cids[index, 0] = 0


@part
def _reply(
    data: Array, at: Number, end: Number, names: Array, offsets: Array, spans: Array, cids: Array, collections: Array
) -> Number:
    """Reads {root, $type?, parent}."""
    is_typed = expect(data, at, end, _TYPED_ROOT) >= 0
    at = expect(data, at, end, _TYPED_ROOT if is_typed else _ROOT)
    at, name = strong_ref(data, at, end, names, offsets, spans[_ROOT_SPANS : _ROOT_SPANS + 2], cids[0])
    collections[0] = name
    if is_typed:
        at = expect(data, at, end, _REPLY_TYPE)
    at = expect(data, at, end, _PARENT)
    at, name = strong_ref(data, at, end, names, offsets, spans[_PARENT_SPANS : _PARENT_SPANS + 2], cids[1])
    collections[1] = name
    return at


@kernel
def read_posts(
    data: Bytes,
    offsets: Int64s,
    nsid: Bytes,
    names: Bytes,
    name_offsets: Int64s,
    positions: Int64sOut,
    spans: Int64CubeOut,
    cids: ByteCubeOut,
    collections: Int32GridOut,
    micros: Int64sOut,
    embeds: Int16sOut,
    items: Int64CubeOut,
    item_offsets: Int64GridOut,
) -> Number:
    """Reads the blocks `data[offsets[i]:offsets[i + 1]]`; gives how many were taken, each into the next row.

    Args:
        data: the blocks.
        offsets: of the blocks.
        nsid: the collection.
        names: of the collections that a reference may be of.
        name_offsets: of the names.
        positions: gets which blocks were taken.
        spans: gets, by row and column of `SPANS`, where a text is, the end -1 where there is none.
        cids: gets the CIDs, by row and reference, 36 bytes each; the first is 0 where there is none.
        collections: gets the number of each reference's collection, -1 where there is none.
        micros: gets the time.
        embeds: gets the EMBED_ bits.
        items: gets, by list of `facets`, where each item is; has room for one in every two bytes of the blocks.
        item_offsets: gets, by list, which items are a row's: from its offset to the next row's.
    """
    stack = np.empty(STACK_CELLS, np.int64)
    sizes = np.zeros(LISTS, np.int64)
    count = 0
    for position in range(len(offsets) - 1):
        start, end = offsets[position], offsets[position + 1]
        row, row_cids, row_collections = spans[count], cids[count], collections[count]
        _clear(row, row_cids, row_collections)
        embeds[count] = 0
        for index in range(LISTS):
            sizes[index] = item_offsets[index, count]
        fields, at = header(data, start, end, MAP)
        if end - start > _MAX_BYTES:
            at = UNUSUAL
        has_type = has_text = has_time = False
        last_start, last_end = at, at
        for field in range(fields):
            key, at = text(data, at, end)
            if key < 0 or (field > 0 and not is_below(data, last_start, last_end, key, at)):
                at = UNUSUAL
                break
            last_start, last_end = key, at
            if is_equal(data, key, at, _TEXT):
                value, at = text(data, at, end)
                has_text = value >= 0 and is_short_text(data, value, at, _TEXT_BYTES, _TEXT_CHARACTERS)
                row[_TEXT_SPAN, 0] = value
                row[_TEXT_SPAN, 1] = at
                if not has_text:
                    at = UNUSUAL
            elif is_equal(data, key, at, _TYPE):
                value, at = text(data, at, end)
                has_type = value >= 0 and is_equal(data, value, at, nsid)
                if not has_type:
                    at = UNUSUAL
            elif is_equal(data, key, at, _CREATED_AT):
                value, at = text(data, at, end)
                if value >= 0:
                    micros[count], has_time, _ = time(data, value, at)
                if not has_time:
                    at = UNUSUAL
            elif is_equal(data, key, at, _LANGS):
                at = langs(data, at, end, items, sizes)
            elif is_equal(data, key, at, _REPLY):
                at = _reply(data, at, end, names, name_offsets, row, row_cids, row_collections)
            elif is_equal(data, key, at, _EMBED):
                at, embeds[count], row_collections[2] = embed(
                    data, at, end, names, name_offsets, row[_QUOTE_SPANS:_URI_SPAN], row_cids[2], row[_URI_SPAN]
                )
            elif is_equal(data, key, at, _FACETS):
                at = facets(data, at, end, items, sizes)
            elif is_equal(data, key, at, _TAGS):
                at = tags(data, at, end, items, sizes)
            elif is_equal(data, key, at, _LABELS):
                at = self_labels(data, at, end)
            elif is_equal(data, key, at, _ENTITIES) or characters(data, key, at) < 0:
                at = UNUSUAL
            else:
                at = skip_value(data, at, end, stack)
            if at < 0:
                break
        if at != end or not (has_type and has_text and has_time):
            continue
        positions[count] = position
        count += 1
        for index in range(LISTS):
            item_offsets[index, count] = sizes[index]
    return count
