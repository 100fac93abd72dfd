"""A post's lists in a kernel: `langs`, `tags`, and the mentions, links and tags of `facets`.

What they hold is appended to four lists. `items[list, i]` is where item i is, `sizes[list]` how many there are; the
caller takes back what a record had appended that is not taken after all. There is room for an item in every two bytes.
"""

from typing import Final

from zeppelin_pipeline.atproto.kernels.cbor import ARRAY, UNSIGNED, expect, header, text
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.records.kernels.formats import is_did, is_language, is_short_text, is_web_uri

LISTS: Final = 4
LANGS, TAGS, MENTIONS, LINKS = range(LISTS)

_MAX_LANGS: Final = 3
_MAX_TAGS: Final = 8
_TAG_BYTES: Final = 640
_TAG_CHARACTERS: Final = 64


_MAP_OF_2: Final = as_bytes(b"\xa2")
_MAP_OF_3: Final = as_bytes(b"\xa3")
_FACET_TYPE: Final = as_bytes(b"\x65$type\x77app.bsky.richtext.facet")
_SLICE_TYPE: Final = as_bytes(b"\x65$type\x78\x21app.bsky.richtext.facet#byteSlice")
_INDEX: Final = as_bytes(b"\x65index")
_BYTE_END: Final = as_bytes(b"\x67byteEnd")
_BYTE_START: Final = as_bytes(b"\x69byteStart")
_FEATURES: Final = as_bytes(b"\x68features")
_MENTION: Final = as_bytes(b"\x63did")
_LINK: Final = as_bytes(b"\x63uri")
_TAG: Final = as_bytes(b"\x63tag")
_MENTION_TYPE: Final = as_bytes(b"\x65$type\x78\x1fapp.bsky.richtext.facet#mention")
_LINK_TYPE: Final = as_bytes(b"\x65$type\x78\x1capp.bsky.richtext.facet#link")
_TAG_TYPE: Final = as_bytes(b"\x65$type\x78\x1bapp.bsky.richtext.facet#tag")
_LABELS: Final = as_bytes(b"\xa2\x65$type\x78\x21com.atproto.label.defs#selfLabels\x66values")
_VALUE: Final = as_bytes(b"\xa1\x63val")


@part
def typed_map(data: Array, at: Number, end: Number, type_field: Array) -> Number:
    """The offset behind the header of a map of two fields, or of three whose first is the given `$type`."""
    behind = expect(data, at, end, _MAP_OF_2)
    if behind >= 0:
        return behind
    return expect(data, expect(data, at, end, _MAP_OF_3), end, type_field)


@part
def _append(items: Array, sizes: Array, number: Number, start: Number, end: Number) -> None:
    items[number, sizes[number], 0] = start
    items[number, sizes[number], 1] = end
    sizes[number] += 1


@part
def langs(data: Array, at: Number, end: Number, items: Array, sizes: Array) -> Number:
    """Reads up to three usual language tags."""
    count, at = header(data, at, end, ARRAY)
    if at < 0 or count > _MAX_LANGS:
        return UNUSUAL
    for _ in range(count):
        start, at = text(data, at, end)
        if start < 0 or not is_language(data, start, at):
            return UNUSUAL
        _append(items, sizes, LANGS, start, at)
    return at


@part
def tags(data: Array, at: Number, end: Number, items: Array, sizes: Array) -> Number:
    """Reads up to eight tags."""
    count, at = header(data, at, end, ARRAY)
    if at < 0 or count > _MAX_TAGS:
        return UNUSUAL
    for _ in range(count):
        start, at = text(data, at, end)
        if start < 0 or not is_short_text(data, start, at, _TAG_BYTES, _TAG_CHARACTERS):
            return UNUSUAL
        _append(items, sizes, TAGS, start, at)
    return at


@part
def _byte_slice(data: Array, at: Number, end: Number) -> Number:
    """Reads {byteEnd, byteStart}, neither negative."""
    _, at = header(data, expect(data, typed_map(data, at, end, _SLICE_TYPE), end, _BYTE_END), end, UNSIGNED)
    _, at = header(data, expect(data, at, end, _BYTE_START), end, UNSIGNED)
    return at


@part
def _feature(data: Array, at: Number, end: Number, items: Array, sizes: Array) -> Number:
    """Reads a mention, link or tag."""
    at = expect(data, at, end, _MAP_OF_2)
    if expect(data, at, end, _LINK) >= 0:
        start, behind = text(data, expect(data, at, end, _LINK), end)
        if start < 0 or not is_web_uri(data, start, behind):
            return UNUSUAL
        _append(items, sizes, LINKS, start, behind)
        return expect(data, behind, end, _LINK_TYPE)
    if expect(data, at, end, _MENTION) >= 0:
        start, behind = text(data, expect(data, at, end, _MENTION), end)
        if start < 0 or not is_did(data, start, behind):
            return UNUSUAL
        _append(items, sizes, MENTIONS, start, behind)
        return expect(data, behind, end, _MENTION_TYPE)
    start, behind = text(data, expect(data, at, end, _TAG), end)
    if start < 0 or not is_short_text(data, start, behind, _TAG_BYTES, _TAG_CHARACTERS):
        return UNUSUAL
    _append(items, sizes, TAGS, start, behind)
    return expect(data, behind, end, _TAG_TYPE)


@part
def facets(data: Array, at: Number, end: Number, items: Array, sizes: Array) -> Number:
    """Reads facets whose features are mentions, links and tags."""
    count, at = header(data, at, end, ARRAY)
    if at < 0 or count > end - at:
        return UNUSUAL
    for _ in range(count):
        at = _byte_slice(data, expect(data, typed_map(data, at, end, _FACET_TYPE), end, _INDEX), end)
        features, at = header(data, expect(data, at, end, _FEATURES), end, ARRAY)
        if at < 0 or features > end - at:
            return UNUSUAL
        for _ in range(features):
            at = _feature(data, at, end, items, sizes)
            if at < 0:
                return UNUSUAL
    return at


@part
def self_labels(data: Array, at: Number, end: Number) -> Number:
    """Reads labels by the author: `{$type, values: [{val}, …]}`, up to ten of up to 128 bytes."""
    count, at = header(data, expect(data, at, end, _LABELS), end, ARRAY)
    if at < 0 or count > 10:
        return UNUSUAL
    for _ in range(count):
        start, at = text(data, expect(data, at, end, _VALUE), end)
        if start < 0 or not is_short_text(data, start, at, 128, 128):
            return UNUSUAL
    return at
