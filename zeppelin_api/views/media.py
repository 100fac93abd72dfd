"""`app.bsky.embed.*`: views of what a post carries itself. The records were validated when they were stored."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from zeppelin_api.hydration.state import JsonRecord
from zeppelin_api.views.context import View, ViewContext, is_of_type, present, typed
from zeppelin_api.views.media_urls import blob_cid

#: Records may hold up to 20 images; clients show 10, and so views stop there, as the official service's do.
_GALLERY_LIMIT: Final = 10

_MediaView: TypeAlias = Callable[[ViewContext, str, JsonRecord], View | None]


def media_view(context: ViewContext, did: str, embed: JsonRecord) -> View | None:
    """The view of an embed by its type; None for embedded records and for types that the lexicons do not know."""
    build = _BY_TYPE.get(embed.get("$type", ""))
    return None if build is None else build(context, did, embed)


def external_view(context: ViewContext, did: str, embed: JsonRecord) -> View:
    """`app.bsky.embed.external#view`."""
    external: JsonRecord = embed["external"]
    view = present(
        uri=external["uri"],
        title=external["title"],
        description=external["description"],
        thumb=context.urls.image("feed_thumbnail", did, external.get("thumb")),
        associatedRefs=external.get("associatedRefs"),
    )
    return typed("app.bsky.embed.external#view", {"external": view})


def _images_view(context: ViewContext, did: str, embed: JsonRecord) -> View:
    views = [
        present(
            thumb=context.urls.image("feed_thumbnail", did, image["image"]),
            fullsize=context.urls.image("feed_fullsize", did, image["image"]),
            alt=image["alt"],
            aspectRatio=image.get("aspectRatio"),
        )
        for image in embed["images"]
    ]
    return typed("app.bsky.embed.images#view", {"images": views})


def _gallery_view(context: ViewContext, did: str, embed: JsonRecord) -> View:
    images = [item for item in embed["items"][:_GALLERY_LIMIT] if is_of_type(item, "app.bsky.embed.gallery#image")]
    views = [_gallery_image(context, did, image) for image in images]
    return typed("app.bsky.embed.gallery#view", {"items": views})


def _gallery_image(context: ViewContext, did: str, image: JsonRecord) -> View:
    view = present(
        thumbnail=context.urls.image("feed_thumbnail", did, image["image"]),
        fullsize=context.urls.image("feed_fullsize", did, image["image"]),
        alt=image["alt"],
        aspectRatio=image["aspectRatio"],
    )
    return typed("app.bsky.embed.gallery#viewImage", view)


def _video_view(context: ViewContext, did: str, embed: JsonRecord) -> View | None:
    cid: Any = blob_cid(embed["video"])
    if cid is None:
        return None
    view = present(
        cid=cid,
        playlist=context.urls.playlist(did, cid),
        thumbnail=context.urls.thumbnail(did, cid),
        alt=embed.get("alt"),
        aspectRatio=embed.get("aspectRatio"),
        presentation=embed.get("presentation"),
    )
    return typed("app.bsky.embed.video#view", view)


_BY_TYPE: Final[Mapping[str, _MediaView]] = {
    "app.bsky.embed.images": _images_view,
    "app.bsky.embed.gallery": _gallery_view,
    "app.bsky.embed.video": _video_view,
    "app.bsky.embed.external": external_view,
}
