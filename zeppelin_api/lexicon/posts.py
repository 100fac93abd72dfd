"""`app.bsky.feed.defs` and `app.bsky.embed.record`: views of posts, feeds and threads, and the outputs made of them."""

from typing import Annotated, TypeAlias

from pydantic import Discriminator, Tag

from zeppelin_api.lexicon.accounts import BlockedAuthor, ProfileViewBasic
from zeppelin_api.lexicon.base import Label, LexiconObject, UnionMember, Unknown, type_of
from zeppelin_api.lexicon.curation import GeneratorView, LabelerView, ListView, ListViewBasic, StarterPackViewBasic
from zeppelin_api.lexicon.media import ExternalView, GalleryView, ImagesView, MediaView, VideoView


class EmbedViewRecord(UnionMember):
    """`app.bsky.embed.record#viewRecord`."""

    uri: str
    cid: str
    author: ProfileViewBasic
    value: Unknown
    labels: list[Label] | None = None
    reply_count: int | None = None
    repost_count: int | None = None
    like_count: int | None = None
    quote_count: int | None = None
    embeds: "list[EmbedView] | None" = None
    indexed_at: str


class EmbedViewNotFound(UnionMember):
    """`app.bsky.embed.record#viewNotFound`."""

    uri: str
    not_found: bool


class EmbedViewBlocked(UnionMember):
    """`app.bsky.embed.record#viewBlocked`."""

    uri: str
    blocked: bool
    author: BlockedAuthor


class EmbedViewDetached(UnionMember):
    """`app.bsky.embed.record#viewDetached`."""

    uri: str
    detached: bool


EmbeddedRecord: TypeAlias = Annotated[
    Annotated[EmbedViewRecord, Tag("app.bsky.embed.record#viewRecord")]
    | Annotated[EmbedViewNotFound, Tag("app.bsky.embed.record#viewNotFound")]
    | Annotated[EmbedViewBlocked, Tag("app.bsky.embed.record#viewBlocked")]
    | Annotated[EmbedViewDetached, Tag("app.bsky.embed.record#viewDetached")]
    | Annotated[GeneratorView, Tag("app.bsky.feed.defs#generatorView")]
    | Annotated[ListView, Tag("app.bsky.graph.defs#listView")]
    | Annotated[LabelerView, Tag("app.bsky.labeler.defs#labelerView")]
    | Annotated[StarterPackViewBasic, Tag("app.bsky.graph.defs#starterPackViewBasic")],
    Discriminator(type_of),
]


class RecordView(UnionMember):
    """`app.bsky.embed.record#view`."""

    record: EmbeddedRecord


class RecordWithMediaView(UnionMember):
    """`app.bsky.embed.recordWithMedia#view`."""

    record: RecordView
    media: MediaView


EmbedView: TypeAlias = Annotated[
    Annotated[ImagesView, Tag("app.bsky.embed.images#view")]
    | Annotated[VideoView, Tag("app.bsky.embed.video#view")]
    | Annotated[GalleryView, Tag("app.bsky.embed.gallery#view")]
    | Annotated[ExternalView, Tag("app.bsky.embed.external#view")]
    | Annotated[RecordView, Tag("app.bsky.embed.record#view")]
    | Annotated[RecordWithMediaView, Tag("app.bsky.embed.recordWithMedia#view")],
    Discriminator(type_of),
]


class ThreadgateView(LexiconObject):
    """`app.bsky.feed.defs#threadgateView`."""

    uri: str
    cid: str
    record: Unknown
    lists: list[ListViewBasic]


class PostView(UnionMember):
    """`app.bsky.feed.defs#postView`."""

    uri: str
    cid: str
    author: ProfileViewBasic
    record: Unknown
    embed: EmbedView | None = None
    bookmark_count: int | None = None
    reply_count: int | None = None
    repost_count: int | None = None
    like_count: int | None = None
    quote_count: int | None = None
    indexed_at: str
    labels: list[Label] | None = None
    threadgate: ThreadgateView | None = None


class NotFoundPost(UnionMember):
    """`app.bsky.feed.defs#notFoundPost`."""

    uri: str
    not_found: bool


class BlockedPost(UnionMember):
    """`app.bsky.feed.defs#blockedPost`."""

    uri: str
    blocked: bool
    author: BlockedAuthor


MaybePost: TypeAlias = Annotated[
    Annotated[PostView, Tag("app.bsky.feed.defs#postView")]
    | Annotated[NotFoundPost, Tag("app.bsky.feed.defs#notFoundPost")]
    | Annotated[BlockedPost, Tag("app.bsky.feed.defs#blockedPost")],
    Discriminator(type_of),
]


class ReplyRef(LexiconObject):
    """`app.bsky.feed.defs#replyRef`."""

    root: MaybePost
    parent: MaybePost
    grandparent_author: ProfileViewBasic | None = None


class ReasonRepost(UnionMember):
    """`app.bsky.feed.defs#reasonRepost`."""

    by: ProfileViewBasic
    uri: str
    cid: str
    indexed_at: str


class ReasonPin(UnionMember):
    """`app.bsky.feed.defs#reasonPin`."""


Reason: TypeAlias = Annotated[
    Annotated[ReasonRepost, Tag("app.bsky.feed.defs#reasonRepost")]
    | Annotated[ReasonPin, Tag("app.bsky.feed.defs#reasonPin")],
    Discriminator(type_of),
]


class FeedViewPost(LexiconObject):
    """`app.bsky.feed.defs#feedViewPost`."""

    post: PostView
    reply: ReplyRef | None = None
    reason: Reason | None = None
    feed_context: str | None = None
    req_id: str | None = None


class ThreadContext(LexiconObject):
    """`app.bsky.feed.defs#threadContext`."""

    root_author_like: str | None = None


class ThreadViewPost(UnionMember):
    """`app.bsky.feed.defs#threadViewPost`."""

    post: PostView
    parent: "ThreadNode | None" = None
    replies: "list[ThreadNode] | None" = None
    thread_context: ThreadContext | None = None


ThreadNode: TypeAlias = Annotated[
    Annotated[ThreadViewPost, Tag("app.bsky.feed.defs#threadViewPost")]
    | Annotated[NotFoundPost, Tag("app.bsky.feed.defs#notFoundPost")]
    | Annotated[BlockedPost, Tag("app.bsky.feed.defs#blockedPost")],
    Discriminator(type_of),
]


class FeedOutput(LexiconObject):
    """`getAuthorFeed`, `getListFeed`, `getActorLikes` and `getFeed` of `app.bsky.feed`."""

    cursor: str | None = None
    feed: list[FeedViewPost]


class SearchPostsOutput(LexiconObject):
    """`app.bsky.feed.searchPosts`."""

    cursor: str | None = None
    hits_total: int | None = None
    posts: list[PostView]


class GetPostsOutput(LexiconObject):
    """`app.bsky.feed.getPosts`."""

    posts: list[PostView]


class GetQuotesOutput(LexiconObject):
    """`app.bsky.feed.getQuotes`."""

    uri: str
    cid: str | None = None
    cursor: str | None = None
    posts: list[PostView]


class GetPostThreadOutput(LexiconObject):
    """`app.bsky.feed.getPostThread`."""

    thread: ThreadNode
    threadgate: ThreadgateView | None = None
