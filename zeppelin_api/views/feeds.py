"""`app.bsky.feed.defs#feedViewPost`: posts in a feed, with why they are there and what they answer."""

from collections.abc import Iterable, Mapping

from zeppelin_api.hydration.feeds import FeedItem
from zeppelin_api.hydration.keys import did_of
from zeppelin_api.hydration.state import Post
from zeppelin_api.times import iso
from zeppelin_api.views.context import View, ViewContext, present, typed
from zeppelin_api.views.posts import blocked_post, is_hidden_by_block, maybe_post, post_view
from zeppelin_api.views.profiles import profile_basic


def feed_view_post(context: ViewContext, item: FeedItem) -> View | None:
    """`#feedViewPost`; None when the post or who reposted it is not shown."""
    reason: View | None = None
    if item.is_pinned:
        reason = {"$type": "app.bsky.feed.defs#reasonPin"}
    elif item.repost_uri is not None:
        reason = _reason_repost(context, item.repost_uri)
        if reason is None:
            return None
    post = post_view(context, item.post_uri)
    if post is None:
        return None
    stored = context.state.posts[item.post_uri]
    # What its thread does not let in is shown as a post of its own.
    reply = None if stored.breaks_threadgate else _reply_ref(context, stored)
    return present(post=post, reason=reason, reply=reply, feedContext=item.context)


def self_threads(items: list[FeedItem], posts: Mapping[str, Post]) -> list[FeedItem]:
    """The items without replies whose thread above them is not wholly among the items."""
    own = {item.post_uri for item in items if item.repost_uri is None}
    whole: dict[str, bool] = {}

    def is_whole(uri: str) -> bool:
        path: list[str] = []
        at: str | None = uri
        while at is not None and at not in whole and at in own and at in posts and at not in path:
            path.append(at)
            at = posts[at].parent_uri
        verdict = at is None or whole.get(at, False)
        whole.update(dict.fromkeys(path, verdict))
        return verdict

    return [item for item in items if item.is_pinned or item.repost_uri is not None or is_whole(item.post_uri)]


def present_feed(context: ViewContext, items: Iterable[FeedItem]) -> list[View]:
    """The views of the items that are shown."""
    return [view for item in items if (view := feed_view_post(context, item)) is not None]


def _reason_repost(context: ViewContext, uri: str) -> View | None:
    repost = context.state.reposts.get(uri)
    by = None if repost is None else profile_basic(context, repost.did)
    if repost is None or by is None:
        return None
    view = {"by": by, "uri": repost.uri, "cid": repost.cid, "indexedAt": iso(repost.sort_at)}
    return typed("app.bsky.feed.defs#reasonRepost", view)


def _reply_ref(context: ViewContext, post: Post) -> View | None:
    """`#replyRef`: a block of the post's or its parent's author hides what they answer."""
    if post.parent_uri is None:
        return None
    parent = context.state.posts.get(post.parent_uri)
    is_root_hidden = is_hidden_by_block(context, post, post.root_uri) or (
        parent is not None and is_hidden_by_block(context, parent, post.root_uri)
    )
    is_parent_hidden = is_hidden_by_block(context, post, post.parent_uri)
    return present(
        root=_shown_or_blocked(context, post.root_uri, is_hidden=is_root_hidden),
        parent=_shown_or_blocked(context, post.parent_uri, is_hidden=is_parent_hidden),
        grandparentAuthor=None if is_parent_hidden else _grandparent_author(context, parent),
    )


def _shown_or_blocked(context: ViewContext, uri: str, *, is_hidden: bool) -> View:
    view = maybe_post(context, uri)
    return blocked_post(uri) if is_hidden and "author" in view else view


def _grandparent_author(context: ViewContext, parent: Post | None) -> View | None:
    if parent is None or parent.parent_uri is None or context.state.active_account(parent.did) is None:
        return None
    return profile_basic(context, did_of(parent.parent_uri))
