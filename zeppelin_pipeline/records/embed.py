"""What a post embeds (`app.bsky.embed.*`): validated, and the columns that are asked of it."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from zeppelin_pipeline.lake.schemas import (
    EMBED_EXTERNAL,
    EMBED_GALLERY,
    EMBED_IMAGES,
    EMBED_OTHER,
    EMBED_RECORD,
    EMBED_VIDEO,
)
from zeppelin_pipeline.records.lexicon import (
    check_array,
    check_blob,
    check_integer,
    check_language,
    check_map,
    check_strong_ref,
    check_text,
    check_union,
    check_uri,
)
from zeppelin_pipeline.records.references import NO_REFERENCE, Reference, read_reference

IMAGES: Final = "app.bsky.embed.images"
VIDEO: Final = "app.bsky.embed.video"
GALLERY: Final = "app.bsky.embed.gallery"
EXTERNAL: Final = "app.bsky.embed.external"
RECORD: Final = "app.bsky.embed.record"
RECORD_WITH_MEDIA: Final = "app.bsky.embed.recordWithMedia"

_ANY_IMAGE: Final = ("image/*",)
_IMAGE_BYTES: Final = 2_000_000
_THUMB_BYTES: Final = 1_000_000
_VIDEO_BYTES: Final = 300_000_000
_CAPTION_BYTES: Final = 20_000

#: (bits of EMBED_*, the embedded record, the external card's URI)
Embedded: TypeAlias = tuple[int, Reference, str | None]

NOTHING: Final[Embedded] = (0, NO_REFERENCE, None)


def read_embed(value: Any) -> Embedded:
    """Columns of a post's `embed`; one of an unknown type is `EMBED_OTHER`.

    Raises:
        InvalidDataError: the embed breaks its lexicon; reasons begin with `embed`.
    """
    kind = check_union(value, "embed")
    if kind == RECORD:
        return EMBED_RECORD, read_reference(value.get("record"), "embed-record"), None
    if kind == RECORD_WITH_MEDIA:
        return _read_record_with_media(value)
    bits, uri = _read_media(kind, value)
    return bits, NO_REFERENCE, uri


def _read_record_with_media(value: dict[str, Any]) -> Embedded:
    record = check_map(value.get("record"), "embed-record", RECORD)
    reference = read_reference(record.get("record"), "embed-record")
    media = value.get("media")
    bits, uri = _read_media(check_union(media, "embed-media"), media)
    return EMBED_RECORD | bits, reference, uri


def _read_media(kind: str, value: Any) -> tuple[int, str | None]:
    reader = _MEDIA.get(kind)
    return reader(value) if reader else (EMBED_OTHER, None)


def _read_images(value: dict[str, Any]) -> tuple[int, None]:
    for image in check_array(value.get("images"), "embed-images", 4):
        fields = check_map(image, "embed-image", "app.bsky.embed.images#image")
        _check_image(fields)
        if "aspectRatio" in fields:
            _check_aspect_ratio(fields["aspectRatio"])
    return EMBED_IMAGES, None


def _read_gallery(value: dict[str, Any]) -> tuple[int, None]:
    for item in check_array(value.get("items"), "embed-items", 20):
        if check_union(item, "embed-item") == "app.bsky.embed.gallery#image":
            _check_image(item)
            _check_aspect_ratio(item.get("aspectRatio"))
    return EMBED_GALLERY, None


def read_external(value: dict[str, Any]) -> tuple[int, str]:
    """Columns of an external card, `EMBED_EXTERNAL` and its URI.

    Raises:
        InvalidDataError: the embed breaks its lexicon; reasons begin with `embed-external`.
    """
    external = check_map(value.get("external"), "embed-external", "app.bsky.embed.external#external")
    uri = check_uri(external.get("uri"), "embed-external-uri")
    check_text(external.get("title"), "embed-external-title")
    check_text(external.get("description"), "embed-external-description")
    if "thumb" in external:
        check_blob(external["thumb"], "embed-external-thumb", _ANY_IMAGE, _THUMB_BYTES)
    for reference in check_array(external.get("associatedRefs", []), "embed-external-refs"):
        check_strong_ref(reference, "embed-external-ref")
    return EMBED_EXTERNAL, uri


def _read_video(value: dict[str, Any]) -> tuple[int, None]:
    check_blob(value.get("video"), "embed-video", ("video/mp4",), _VIDEO_BYTES)
    for caption in check_array(value.get("captions", []), "embed-captions", 20):
        fields = check_map(caption, "embed-caption", "app.bsky.embed.video#caption")
        check_language(fields.get("lang"), "embed-caption-lang")
        check_blob(fields.get("file"), "embed-caption", ("text/vtt",), _CAPTION_BYTES)
    check_text(value.get("alt", ""), "embed-video-alt")
    check_text(value.get("presentation", ""), "embed-video-presentation")
    if "aspectRatio" in value:
        _check_aspect_ratio(value["aspectRatio"])
    return EMBED_VIDEO, None


def _check_image(fields: dict[str, Any]) -> None:
    check_blob(fields.get("image"), "embed-image", _ANY_IMAGE, _IMAGE_BYTES)
    check_text(fields.get("alt"), "embed-image-alt")


def _check_aspect_ratio(value: Any) -> None:
    ratio = check_map(value, "embed-aspect-ratio", "app.bsky.embed.defs#aspectRatio")
    check_integer(ratio.get("width"), "embed-aspect-ratio", 1)
    check_integer(ratio.get("height"), "embed-aspect-ratio", 1)


_MEDIA: Final[dict[str, Callable[[dict[str, Any]], tuple[int, str | None]]]] = {
    IMAGES: _read_images,
    GALLERY: _read_gallery,
    EXTERNAL: read_external,
    VIDEO: _read_video,
}
