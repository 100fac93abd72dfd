"""`app.bsky.unspecced.defs#threadItem…`: a thread as a flat list, and the replies that are kept apart from it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from zeppelin_api.hydration.keys import did_of
from zeppelin_api.hydration.state import Post
from zeppelin_api.hydration.threads import Thread
from zeppelin_api.times import iso
from zeppelin_api.views.context import View, ViewContext, present, typed
from zeppelin_api.views.curation import threadgate_of
from zeppelin_api.views.posts import is_hidden_by_block, post_view
from zeppelin_api.views.profiles import profile_basic
from zeppelin_api.views.threads import belongs_in_thread

#: Authors who want to be shown to nobody who is not signed in label themselves so.
_SIGNED_IN_ONLY: Final = "!no-unauthenticated"
#: A reply of this alone marks the post for its author, and says nothing to others.
_PUSHPIN: Final = "\N{PUSHPIN}"
#: How much more a reply weighs that the thread's author likes.
_LIKED_BY_AUTHOR: Final = 1.45


@dataclass(frozen=True, slots=True)
class ThreadShape:
    """What of a thread is asked for.

    Attributes:
        above: levels of posts above the anchor.
        below: levels of replies below it.
        branching_factor: replies shown to each reply; those to the anchor are all shown.
        sort: `oldest`, `top`, or any other for newest first.
    """

    above: int
    below: int
    branching_factor: int
    sort: str


def thread_items(context: ViewContext, thread: Thread, shape: ThreadShape) -> list[View]:
    """The posts above the anchor, the anchor, and those below it, in the order in which they are shown."""
    return list(_Flattening(context, thread, shape).items())


def has_other_replies(context: ViewContext, thread: Thread) -> bool:
    """Whether replies to the anchor, of those that were asked for, are kept apart."""
    anchor = thread.anchor
    if anchor.breaks_threadgate or _is_signed_in_only(context, anchor.did):
        return False
    return bool(_other_replies(context, thread))


def other_items(context: ViewContext, thread: Thread) -> list[View]:
    """The items of those replies: the thread's author's first, hidden ones last, each newest first."""
    op_did = did_of(thread.anchor.root_uri)

    def rank(post: Post) -> int:
        return 0 if post.did == op_did else 1 + _is_hidden(context, post)

    replies = sorted(_by_time(_other_replies(context, thread)), key=rank)
    return [
        _item(post.uri, 1, _post_value(view, is_hidden=_is_hidden(context, post)))
        for post in replies
        if (view := post_view(context, post.uri)) is not None
    ]


def not_found_item(uri: str, depth: int = 0) -> View:
    """The item of a post that is not there."""
    return _item(uri, depth, {"$type": "app.bsky.unspecced.defs#threadItemNotFound"})


class _Flattening:
    """One thread being written down."""

    def __init__(self, context: ViewContext, thread: Thread, shape: ThreadShape) -> None:
        self._context = context
        self._thread = thread
        self._shape = shape
        self._op_did = did_of(thread.anchor.root_uri)
        self._op_positions = {uri: position for position, uri in enumerate(thread.op_thread, 1)}

    def items(self) -> Iterator[View]:
        anchor = self._thread.anchor
        if anchor.breaks_threadgate:  # it stands alone
            yield self._post_item(anchor, 0, is_op_thread=anchor.did == self._op_did)
            return
        above, is_op_thread = self._above()
        yield from above
        is_op_thread = is_op_thread and anchor.did == self._op_did
        yield self._post_item(anchor, 0, is_op_thread=is_op_thread)
        if not _is_signed_in_only(self._context, anchor.did):
            yield from self._below(anchor.uri, 1, is_op_thread=is_op_thread)

    def _above(self) -> tuple[list[View], bool]:
        """The items above the anchor, the uppermost first, and whether they are all the thread's author's."""
        chain, end = self._ancestors()
        items: list[View] = []
        is_op_thread = end is None or end == "outside"
        if end is not None and end != "outside":
            lowest = chain[-1] if chain else self._thread.anchor
            items.append(self._end_item(lowest.parent_uri or "", -len(chain) - 1, end))
        for depth, post in zip(range(-len(chain), 0), reversed(chain), strict=True):
            is_op_thread = is_op_thread and post.did == self._op_did
            has_more = not items and post.parent_uri is not None
            items.append(self._post_item(post, depth, is_op_thread=is_op_thread, has_more_parents=has_more))
        return items, is_op_thread

    def _ancestors(self) -> tuple[list[Post], Literal["missing", "blocked", "outside"] | None]:
        """The posts above the anchor, nearest first, and why there are no more; None at the first or the limit."""
        chain: list[Post] = []
        child = self._thread.anchor
        while len(chain) < self._shape.above and child.parent_uri is not None:
            parent = self._context.state.shown_post(child.parent_uri)
            if parent is None:
                return chain, "missing"
            if parent.root_uri != self._thread.anchor.root_uri:
                return chain, "outside"
            if is_hidden_by_block(self._context, child, child.parent_uri):
                return chain, "blocked"
            chain.append(parent)
            child = parent
        return chain, None

    def _end_item(self, uri: str, depth: int, end: Literal["missing", "blocked"]) -> View:
        if end == "missing":
            return not_found_item(uri, depth)
        return _item(uri, depth, typed("app.bsky.unspecced.defs#threadItemBlocked", {"author": {"did": did_of(uri)}}))

    def _below(self, parent_uri: str, depth: int, *, is_op_thread: bool) -> Iterator[View]:
        """The replies to a post, each followed by those to it."""
        if depth > self._shape.below:
            return
        replies = _visible_replies(self._context, self._thread, parent_uri)
        ordered = self._ordered(post for post in replies if not _is_other(self._context, post))
        for post in ordered if depth == 1 else ordered[: self._shape.branching_factor]:
            in_op_thread = is_op_thread and post.did == self._op_did
            shown = self._shape.branching_factor if depth < self._shape.below else 0
            yield self._post_item(post, depth, is_op_thread=in_op_thread, more_replies=max(post.replies - shown, 0))
            yield from self._below(post.uri, depth + 1, is_op_thread=in_op_thread)

    def _ordered(self, replies: Iterable[Post]) -> list[Post]:
        """What continues the author's own thread first, then the author's other replies, then the rest as asked for."""
        ordered = _by_time(replies, is_oldest_first=self._shape.sort == "oldest")
        if self._shape.sort == "top":
            ordered.sort(key=self._weight, reverse=True)
        ordered.sort(key=lambda post: 0 if post.uri in self._op_positions else 1 + (post.did != self._op_did))
        return ordered

    def _weight(self, post: Post) -> float:
        is_liked = post.uri in self._thread.root_author_likes
        return math.log(3 + post.likes) * (_LIKED_BY_AUTHOR if is_liked else 1.0)

    def _post_item(
        self,
        post: Post,
        depth: int,
        *,
        is_op_thread: bool,
        has_more_parents: bool = False,
        more_replies: int = 0,
    ) -> View:
        view = post_view(self._context, post.uri)
        if view is None:
            return not_found_item(post.uri, depth)
        if _is_signed_in_only(self._context, post.did):
            return _item(post.uri, depth, {"$type": "app.bsky.unspecced.defs#threadItemNoUnauthenticated"})
        position = self._op_positions.get(post.uri)
        value = _post_value(
            view,
            has_more_parents=has_more_parents,
            more_replies=more_replies,
            is_op_thread=position is not None if self._op_positions else is_op_thread,
            op_position=position,
            op_count=None if position is None else len(self._op_positions),
        )
        return _item(post.uri, depth, value)


def _item(uri: str, depth: int, value: View) -> View:
    return {"uri": uri, "depth": depth, "value": value}


def _post_value(
    view: View,
    *,
    has_more_parents: bool = False,
    more_replies: int = 0,
    is_op_thread: bool = False,
    op_position: int | None = None,
    op_count: int | None = None,
    is_hidden: bool = False,
) -> View:
    value = present(
        post=view,
        moreParents=has_more_parents,
        moreReplies=more_replies,
        opThread=is_op_thread,
        opThreadPostIndex=op_position,
        opThreadPostCount=op_count,
        hiddenByThreadgate=is_hidden,
        mutedByViewer=False,
    )
    return typed("app.bsky.unspecced.defs#threadItemPost", value)


def _visible_replies(context: ViewContext, thread: Thread, parent_uri: str) -> list[Post]:
    """The replies to a post that may be shown at all, newest first."""
    replies = (context.state.shown_post(uri) for uri in thread.replies.get(parent_uri, []))
    return [
        post
        for post in replies
        if post is not None
        and belongs_in_thread(context, post, thread.anchor.root_uri)
        and not _is_signed_in_only(context, post.did)
    ]


def _other_replies(context: ViewContext, thread: Thread) -> list[Post]:
    """The replies to the anchor that are hidden by the thread's author, or of no meaning to others."""
    return [post for post in _visible_replies(context, thread, thread.anchor.uri) if _is_other(context, post)]


def _by_time(posts: Iterable[Post], *, is_oldest_first: bool = False) -> list[Post]:
    """By the times as views show them; the order stays where they are the same."""
    return sorted(posts, key=lambda post: iso(post.sort_at), reverse=not is_oldest_first)


def _is_other(context: ViewContext, post: Post) -> bool:
    return _is_hidden(context, post) or post.record["text"].strip() == _PUSHPIN


def _is_hidden(context: ViewContext, post: Post) -> bool:
    """Whether the thread's author hid this reply."""
    gate = threadgate_of(context, post.root_uri)
    return gate is not None and post.uri in gate.record.get("hiddenReplies", [])


def _is_signed_in_only(context: ViewContext, did: str) -> bool:
    """Whether an account wants to be shown to nobody who is not signed in; nobody is, here."""
    author = profile_basic(context, did)
    return author is not None and any(label["val"] == _SIGNED_IN_ONLY for label in author["labels"])
