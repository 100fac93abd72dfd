"""`app.bsky.feed.defs#postView` and `app.bsky.embed.record`: a post, and posts within posts."""

from typing import Any

from zeppelin_api.hydration.keys import POST, POSTGATE, collection_of, did_of, read_record_uri, sibling_uri
from zeppelin_api.hydration.posts import EMBED_DEPTH
from zeppelin_api.hydration.state import JsonRecord, Post
from zeppelin_api.times import iso
from zeppelin_api.views.context import View, ViewContext, present, typed
from zeppelin_api.views.curation import curation_view, threadgate_view
from zeppelin_api.views.labels import record_labels
from zeppelin_api.views.media import media_view
from zeppelin_api.views.profiles import profile_basic


def post_view(context: ViewContext, uri: str, depth: int = 0) -> View | None:
    """`#postView`; None when the post is not there or its account is not shown.

    Args:
        context: what was found.
        uri: the post.
        depth: how many posts it is embedded in.
    """
    key = ("post", uri, depth)
    if key not in context.made:
        context.made[key] = _post_view(context, uri, depth)
    return context.made[key]


def _post_view(context: ViewContext, uri: str, depth: int) -> View | None:
    post = context.state.shown_post(uri)
    author = None if post is None else profile_basic(context, post.did)
    if post is None or author is None:
        return None
    return present(
        uri=post.uri,
        cid=post.cid,
        author=author,
        record=post.record,
        embed=_embed_view(context, post, depth + 1) if depth < EMBED_DEPTH else None,
        bookmarkCount=0,  # there are no bookmarks in this service
        replyCount=post.replies,
        repostCount=post.reposts,
        likeCount=post.likes,
        quoteCount=post.quotes,
        indexedAt=iso(post.sort_at),
        labels=record_labels(context, post.uri, post.cid, post.record),
        threadgate=threadgate_view(context, post.uri) if depth == 0 and post.parent_uri is None else None,
    )


def maybe_post(context: ViewContext, uri: str) -> View:
    """A post where the lexicon has a union: `#postView`, or `#notFoundPost`."""
    view = post_view(context, uri)
    return not_found_post(uri) if view is None else typed("app.bsky.feed.defs#postView", view)


def not_found_post(uri: str) -> View:
    """`#notFoundPost`."""
    return {"$type": "app.bsky.feed.defs#notFoundPost", "uri": uri, "notFound": True}


def blocked_post(uri: str) -> View:
    """`#blockedPost`."""
    return {"$type": "app.bsky.feed.defs#blockedPost", "uri": uri, "blocked": True, "author": {"did": did_of(uri)}}


def is_hidden_by_block(context: ViewContext, post: Post, other_uri: str | None) -> bool:
    """Whether a block between a post's author and that of another hides the one from the other."""
    if other_uri is None or not context.policy.third_party_blocks_hide:
        return False
    return frozenset((post.did, did_of(other_uri))) in context.state.blocked_pairs


def _embed_view(context: ViewContext, post: Post, depth: int) -> View | None:
    embed: JsonRecord | None = post.record.get("embed")
    if embed is None:
        return None
    match embed.get("$type"):
        case "app.bsky.embed.record":
            return typed("app.bsky.embed.record#view", _record_view(context, post, depth))
        case "app.bsky.embed.recordWithMedia":
            media = media_view(context, post.did, embed["media"])
            if media is None:
                return None
            view = {"media": media, "record": _record_view(context, post, depth)}
            return typed("app.bsky.embed.recordWithMedia#view", view)
        case _:
            return media_view(context, post.did, embed)


def _record_view(context: ViewContext, post: Post, depth: int) -> View:
    """The record that a post embeds: a post, something that an account made, or why it is not shown."""
    uri = post.embedded_uri or ""
    if is_hidden_by_block(context, post, uri):
        view = {"uri": uri, "blocked": True, "author": {"did": did_of(uri)}}
        return {"record": typed("app.bsky.embed.record#viewBlocked", view)}
    if post.breaks_postgate and context.policy.detached_quotes_hide:
        return {"record": _detached(uri)}
    is_quote = collection_of(uri) == POST
    record = _quote_view(context, post, uri, depth) if is_quote else curation_view(context, uri)
    return {"record": record or typed("app.bsky.embed.record#viewNotFound", {"uri": uri, "notFound": True})}


def _quote_view(context: ViewContext, post: Post, uri: str, depth: int) -> View | None:
    view = post_view(context, uri, depth)
    if view is None:
        return None
    if _is_detached(context, post, uri):
        return _detached(uri)
    embeds: list[Any] | None = None
    if depth < EMBED_DEPTH:
        embeds = [view["embed"]] if "embed" in view else []
    quote = present(
        uri=view["uri"],
        cid=view["cid"],
        author=view["author"],
        value=view["record"],
        labels=view["labels"],
        likeCount=view["likeCount"],
        replyCount=view["replyCount"],
        repostCount=view["repostCount"],
        quoteCount=view["quoteCount"],
        indexedAt=view["indexedAt"],
        embeds=embeds,
    )
    return typed("app.bsky.embed.record#viewRecord", quote)


def _detached(uri: str) -> View:
    return typed("app.bsky.embed.record#viewDetached", {"uri": uri, "detached": True})


def _is_detached(context: ViewContext, post: Post, quoted_uri: str) -> bool:
    """Whether the quoted post's author detached it from this quote, and the service follows that."""
    if not context.policy.detached_quotes_hide or read_record_uri(quoted_uri) is None:
        return False
    gate = context.state.records.get(sibling_uri(quoted_uri, POSTGATE))
    return gate is not None and post.uri in gate.record.get("detachedEmbeddingUris", [])
