"""`app.bsky.feed.defs#threadViewPost`: a post with what is above and below it."""

from zeppelin_api.hydration.state import Post
from zeppelin_api.hydration.threads import Thread
from zeppelin_api.views.context import View, ViewContext, present, typed
from zeppelin_api.views.posts import blocked_post, is_hidden_by_block, not_found_post, post_view


def thread_view(context: ViewContext, thread: Thread, height: int, depth: int) -> View | None:
    """The thread around its anchor; None when the anchor is not shown.

    Args:
        context: what was found.
        thread: its shape.
        height: how many posts above the anchor are shown.
        depth: how many levels below it.
    """
    anchor = thread.anchor
    post = post_view(context, anchor.uri)
    if post is None:
        return None
    if anchor.breaks_threadgate:  # it stands alone
        return _node(thread, post, parent=None, replies=None)
    return _node(
        thread,
        post,
        parent=_parent_view(context, thread, anchor, height),
        replies=_reply_views(context, thread, anchor.uri, depth),
    )


def belongs_in_thread(context: ViewContext, post: Post, root_uri: str) -> bool:
    """Whether a reply is of that thread, let in by its gate, not under review, and not hidden from what it answers."""
    return (
        post.root_uri == root_uri
        and not post.breaks_threadgate
        and not context.state.is_under_review(post)
        and not is_hidden_by_block(context, post, post.parent_uri)
    )


def _node(thread: Thread, post: View, parent: View | None, replies: list[View] | None) -> View:
    like = thread.root_author_likes.get(post["uri"])
    view = present(post=post, parent=parent, replies=replies, threadContext=present(rootAuthorLike=like))
    return typed("app.bsky.feed.defs#threadViewPost", view)


def _parent_view(context: ViewContext, thread: Thread, child: Post, height: int) -> View | None:
    """The chain above a post, up to the first that is missing, hidden, or of another thread."""
    if height < 1 or child.parent_uri is None:
        return None
    if is_hidden_by_block(context, child, child.parent_uri):
        return blocked_post(child.parent_uri)
    parent = context.state.posts.get(child.parent_uri)
    view = post_view(context, child.parent_uri)
    if parent is None or view is None:
        return not_found_post(child.parent_uri)
    if parent.root_uri != thread.anchor.root_uri:
        return None
    return _node(thread, view, parent=_parent_view(context, thread, parent, height - 1), replies=None)


def _reply_views(context: ViewContext, thread: Thread, parent_uri: str, depth: int) -> list[View] | None:
    """The answers to a post, newest first; None below the last level."""
    if depth < 1:
        return None
    shown: list[View] = []
    for uri in thread.replies.get(parent_uri, []):
        post = context.state.posts[uri]
        view = post_view(context, uri) if belongs_in_thread(context, post, thread.anchor.root_uri) else None
        if view is not None:
            replies = _reply_views(context, thread, uri, depth - 1)
            shown.append(_node(thread, view, parent=None, replies=replies))
    return shown
