"""What a post embeds, in a kernel: images, a gallery, a card, a video, a record, or a record with one of these.

The forms that the official client writes; all else is left to the careful code.
"""

from typing import Final

from zeppelin_pipeline.atproto.kernels.cbor import ARRAY, UNSIGNED, characters, expect, header, link, text
from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part
from zeppelin_pipeline.atproto.kernels.frames import UNUSUAL, as_bytes
from zeppelin_pipeline.lake.schemas import EMBED_EXTERNAL, EMBED_GALLERY, EMBED_IMAGES, EMBED_RECORD, EMBED_VIDEO
from zeppelin_pipeline.records.kernels.formats import is_web_uri, strong_ref

_MAX_IMAGES: Final = 4
_MAX_GALLERY_ITEMS: Final = 20
_IMAGE_BYTES: Final = 2_000_000
_THUMB_BYTES: Final = 1_000_000
_VIDEO_BYTES: Final = 300_000_000
_RAW: Final = 0x55


_MAP_OF_2: Final = as_bytes(b"\xa2")
_MAP_OF_3: Final = as_bytes(b"\xa3")
_MAP_OF_4: Final = as_bytes(b"\xa4")
_ALT: Final = as_bytes(b"\x63alt")
_IMAGE: Final = as_bytes(b"\x65image")
_ASPECT_RATIO: Final = as_bytes(b"\x6baspectRatio")
_WIDTH: Final = as_bytes(b"\xa2\x65width")
_HEIGHT: Final = as_bytes(b"\x66height")
_BLOB_REF: Final = as_bytes(b"\xa4\x63ref")
_BLOB_SIZE: Final = as_bytes(b"\x64size")
_BLOB_TYPE: Final = as_bytes(b"\x65$type\x64blob\x68mimeType")
_IMAGE_MEDIA: Final = as_bytes(b"image/")
_VIDEO_MEDIA: Final = as_bytes(b"video/mp4")
_URI: Final = as_bytes(b"\x63uri")
_THUMB: Final = as_bytes(b"\x65thumb")
_TITLE: Final = as_bytes(b"\x65title")
_DESCRIPTION: Final = as_bytes(b"\x6bdescription")
_VIDEO: Final = as_bytes(b"\x65video")
_MEDIA: Final = as_bytes(b"\x65media")
_RECORD: Final = as_bytes(b"\x66record")
_BARE_RECORD: Final = as_bytes(b"\xa1\x66record")

_IMAGES_START: Final = as_bytes(b"\xa2\x65$type\x75app.bsky.embed.images\x66images")
_GALLERY_START: Final = as_bytes(b"\xa2\x65$type\x76app.bsky.embed.gallery\x65items")
_GALLERY_IMAGE: Final = as_bytes(b"\x65$type\x78\x1capp.bsky.embed.gallery#image\x65image")
_EXTERNAL_START: Final = as_bytes(b"\xa2\x65$type\x77app.bsky.embed.external\x68external")
_RECORD_START: Final = as_bytes(b"\xa2\x65$type\x75app.bsky.embed.record\x66record")
_WITH_MEDIA_START: Final = as_bytes(b"\xa3\x65$type\x78\x1eapp.bsky.embed.recordWithMedia")
_VIDEO_TYPE: Final = as_bytes(b"\x65$type\x74app.bsky.embed.video")


@part
def _any_text(data: Array, at: Number, end: Number) -> Number:
    """Steps over a text."""
    start, at = text(data, at, end)
    return at if start >= 0 and characters(data, start, at) >= 0 else UNUSUAL


@part
def _blob(data: Array, at: Number, end: Number, media: Array, is_whole: bool, max_bytes: Number) -> Number:
    """Steps over a blob of a media type, whole or as it begins, and of at most so many bytes."""
    at = link(data, expect(data, at, end, _BLOB_REF), end, _RAW)
    size, at = header(data, expect(data, at, end, _BLOB_SIZE), end, UNSIGNED)
    if at < 0 or size > max_bytes:
        return UNUSUAL
    start, at = text(data, expect(data, at, end, _BLOB_TYPE), end)
    if start < 0 or expect(data, start, at, media) < 0 or (is_whole and at - start != len(media)):
        return UNUSUAL
    return at if characters(data, start, at) >= 0 else UNUSUAL


@part
def _aspect_ratio(data: Array, at: Number, end: Number) -> Number:
    """Steps over {width, height}, both at least 1."""
    width, at = header(data, expect(data, expect(data, at, end, _ASPECT_RATIO), end, _WIDTH), end, UNSIGNED)
    height, at = header(data, expect(data, at, end, _HEIGHT), end, UNSIGNED)
    return at if at >= 0 and width >= 1 and height >= 1 else UNUSUAL


@part
def _images(data: Array, at: Number, end: Number) -> Number:
    count, at = header(data, at, end, ARRAY)
    if at < 0 or count > _MAX_IMAGES:
        return UNUSUAL
    for _ in range(count):
        has_ratio = expect(data, at, end, _MAP_OF_3) >= 0
        at = expect(data, at, end, _MAP_OF_3 if has_ratio else _MAP_OF_2)
        at = expect(data, _any_text(data, expect(data, at, end, _ALT), end), end, _IMAGE)
        at = _blob(data, at, end, _IMAGE_MEDIA, False, _IMAGE_BYTES)
        if has_ratio:
            at = _aspect_ratio(data, at, end)
        if at < 0:
            return UNUSUAL
    return at


@part
def _gallery(data: Array, at: Number, end: Number) -> Number:
    """Steps over images, each of them {alt, $type, image, aspectRatio}."""
    count, at = header(data, at, end, ARRAY)
    if at < 0 or count > _MAX_GALLERY_ITEMS:
        return UNUSUAL
    for _ in range(count):
        at = _any_text(data, expect(data, expect(data, at, end, _MAP_OF_4), end, _ALT), end)
        at = _blob(data, expect(data, at, end, _GALLERY_IMAGE), end, _IMAGE_MEDIA, False, _IMAGE_BYTES)
        at = _aspect_ratio(data, at, end)
        if at < 0:
            return UNUSUAL
    return at


@part
def _external(data: Array, at: Number, end: Number, uri: Array) -> Number:
    """Steps over {uri, thumb?, title, description}; `uri` gets where it is."""
    has_thumb = expect(data, at, end, _MAP_OF_4) >= 0
    at = expect(data, at, end, _MAP_OF_4 if has_thumb else _MAP_OF_3)
    start, at = text(data, expect(data, at, end, _URI), end)
    if start < 0 or not is_web_uri(data, start, at):
        return UNUSUAL
    uri[0] = start
    uri[1] = at
    if has_thumb:
        at = _blob(data, expect(data, at, end, _THUMB), end, _IMAGE_MEDIA, False, _THUMB_BYTES)
    at = _any_text(data, expect(data, at, end, _TITLE), end)
    return _any_text(data, expect(data, at, end, _DESCRIPTION), end)


@part
def _video(data: Array, at: Number, end: Number) -> Number:
    """Steps over {alt?, $type, video, aspectRatio?}."""
    fields, at = header(data, at, end, 5)
    if at < 0:
        return UNUSUAL
    if expect(data, at, end, _ALT) >= 0:
        at = _any_text(data, expect(data, at, end, _ALT), end)
        fields -= 1
    at = expect(data, expect(data, at, end, _VIDEO_TYPE), end, _VIDEO)
    at = _blob(data, at, end, _VIDEO_MEDIA, True, _VIDEO_BYTES)
    if fields == 3:
        return _aspect_ratio(data, at, end)
    return at if fields == 2 else UNUSUAL


@part
def _media(data: Array, at: Number, end: Number, uri: Array) -> tuple[Number, Number]:
    """Steps over images, a gallery, a card or a video; gives the offset behind it and its EMBED_ bit."""
    inner = expect(data, at, end, _IMAGES_START)
    if inner >= 0:
        return _images(data, inner, end), EMBED_IMAGES
    inner = expect(data, at, end, _GALLERY_START)
    if inner >= 0:
        return _gallery(data, inner, end), EMBED_GALLERY
    inner = expect(data, at, end, _EXTERNAL_START)
    if inner >= 0:
        return _external(data, inner, end, uri), EMBED_EXTERNAL
    return _video(data, at, end), EMBED_VIDEO


@part
def embed(
    data: Array, at: Number, end: Number, names: Array, name_offsets: Array, spans: Array, cid: Array, uri: Array
) -> tuple[Number, Number, Number]:
    """Reads an embed; gives the offset behind it, its EMBED_ bits, and the number of the record's collection.

    Args:
        data: with the block.
        at: where it starts.
        end: of the block.
        names: of collections.
        name_offsets: of the names.
        spans: gets the record's DID and record key as from `strong_ref`.
        cid: gets the record's CID.
        uri: gets where the card's URI is.
    """
    inner = expect(data, at, end, _RECORD_START)
    if inner >= 0:
        at, name = strong_ref(data, inner, end, names, name_offsets, spans, cid)
        return at, EMBED_RECORD, name
    inner = expect(data, at, end, _WITH_MEDIA_START)
    if inner < 0:
        at, bits = _media(data, at, end, uri)
        return at, bits, UNUSUAL
    at, bits = _media(data, expect(data, inner, end, _MEDIA), end, uri)
    at = expect(data, at, end, _RECORD)
    inner = expect(data, at, end, _RECORD_START)
    if inner < 0:
        inner = expect(data, at, end, _BARE_RECORD)
    at, name = strong_ref(data, inner, end, names, name_offsets, spans, cid)
    return at, EMBED_RECORD | bits, name
