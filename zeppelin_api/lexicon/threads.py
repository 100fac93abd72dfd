"""`app.bsky.unspecced`: threads as flat lists, as today's clients ask for them."""

from typing import Annotated, TypeAlias

from pydantic import Discriminator, Tag

from zeppelin_api.lexicon.accounts import BlockedAuthor
from zeppelin_api.lexicon.base import LexiconObject, UnionMember, type_of
from zeppelin_api.lexicon.posts import PostView, ThreadgateView


class ThreadItemPost(UnionMember):
    """`app.bsky.unspecced.defs#threadItemPost`."""

    post: PostView
    more_parents: bool
    more_replies: int
    op_thread: bool
    op_thread_post_index: int | None = None
    op_thread_post_count: int | None = None
    hidden_by_threadgate: bool
    muted_by_viewer: bool


class ThreadItemNoUnauthenticated(UnionMember):
    """`app.bsky.unspecced.defs#threadItemNoUnauthenticated`."""


class ThreadItemNotFound(UnionMember):
    """`app.bsky.unspecced.defs#threadItemNotFound`."""


class ThreadItemBlocked(UnionMember):
    """`app.bsky.unspecced.defs#threadItemBlocked`."""

    author: BlockedAuthor


ThreadItemValue: TypeAlias = Annotated[
    Annotated[ThreadItemPost, Tag("app.bsky.unspecced.defs#threadItemPost")]
    | Annotated[ThreadItemNoUnauthenticated, Tag("app.bsky.unspecced.defs#threadItemNoUnauthenticated")]
    | Annotated[ThreadItemNotFound, Tag("app.bsky.unspecced.defs#threadItemNotFound")]
    | Annotated[ThreadItemBlocked, Tag("app.bsky.unspecced.defs#threadItemBlocked")],
    Discriminator(type_of),
]


class ThreadItem(LexiconObject):
    """`app.bsky.unspecced.getPostThreadV2#threadItem`."""

    uri: str
    depth: int
    value: ThreadItemValue


class GetPostThreadV2Output(LexiconObject):
    """`app.bsky.unspecced.getPostThreadV2`."""

    thread: list[ThreadItem]
    threadgate: ThreadgateView | None = None
    has_other_replies: bool


class GetPostThreadOtherV2Output(LexiconObject):
    """`app.bsky.unspecced.getPostThreadOtherV2`."""

    thread: list[ThreadItem]
