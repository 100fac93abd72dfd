"""`app.bsky.embed.*`: views of what a post carries itself."""

from typing import Annotated, TypeAlias

from pydantic import Discriminator, Tag

from zeppelin_api.lexicon.base import LexiconObject, StrongRef, UnionMember, type_of


class AspectRatio(LexiconObject):
    """`app.bsky.embed.defs#aspectRatio`."""

    width: int
    height: int


class ImageView(LexiconObject):
    """`app.bsky.embed.images#viewImage`."""

    thumb: str
    fullsize: str
    alt: str
    aspect_ratio: AspectRatio | None = None


class ImagesView(UnionMember):
    """`app.bsky.embed.images#view`."""

    images: list[ImageView]


class GalleryImageView(UnionMember):
    """`app.bsky.embed.gallery#viewImage`."""

    thumbnail: str
    fullsize: str
    alt: str
    aspect_ratio: AspectRatio


class GalleryView(UnionMember):
    """`app.bsky.embed.gallery#view`."""

    items: list[GalleryImageView]


class VideoView(UnionMember):
    """`app.bsky.embed.video#view`."""

    cid: str
    playlist: str
    thumbnail: str | None = None
    alt: str | None = None
    aspect_ratio: AspectRatio | None = None
    presentation: str | None = None


class External(LexiconObject):
    """`app.bsky.embed.external#viewExternal`."""

    uri: str
    title: str
    description: str
    thumb: str | None = None
    associated_refs: list[StrongRef] | None = None


class ExternalView(UnionMember):
    """`app.bsky.embed.external#view`."""

    external: External


MediaView: TypeAlias = Annotated[
    Annotated[ImagesView, Tag("app.bsky.embed.images#view")]
    | Annotated[VideoView, Tag("app.bsky.embed.video#view")]
    | Annotated[GalleryView, Tag("app.bsky.embed.gallery#view")]
    | Annotated[ExternalView, Tag("app.bsky.embed.external#view")],
    Discriminator(type_of),
]
