"""A thread: the posts above and below one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import LIKE, POST, PostKey, did_of, post_key, rkey_of, uri_of
from zeppelin_api.hydration.posts import hydrate_posts
from zeppelin_api.hydration.state import Hydration, Post
from zeppelin_api.policy import Policy

#: JSON is written to 254 levels at most; a reply takes two, a parent one, and a post within up to 30.
MAX_DEPTH: Final = 100
MAX_HEIGHT: Final = 200
#: Flat threads show so many posts above theirs, as the official service's do.
MAX_FLAT_HEIGHT: Final = 50
#: Posts of the thread that an author goes on with; no more are looked for.
_MAX_OP_THREAD: Final = 1000


@dataclass(frozen=True, slots=True)
class Thread:
    """The shape of a thread.

    Attributes:
        anchor: the post that was asked for.
        replies: of each post's URI the URIs of its answers, newest first.
        root_author_likes: of each post's URI the URI of the like by the thread's first author.
        op_thread: URIs of the posts by which the first author goes on with the thread, the first post with them;
            empty when it is alone, or when nobody asked.
    """

    anchor: Post
    replies: dict[str, list[str]]
    root_author_likes: dict[str, str]
    op_thread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _KeyRow:
    actor_id: int
    rkey: int
    is_above: bool

    @property
    def key(self) -> PostKey:
        return PostKey(self.actor_id, self.rkey)


@dataclass(frozen=True, slots=True)
class _OpThreadRow:
    rkey: int
    rkey_text: str | None


@dataclass(frozen=True, slots=True)
class _LikeRow:
    subject_actor: int
    subject_rkey: int
    rkey: int
    rkey_text: str | None


async def hydrate_thread(
    session: Session, state: Hydration, anchor: PostKey, height: int, depth: int, max_replies: int, policy: Policy
) -> Thread | None:
    """A thread with all that its views show put into the state; None when there is no such post."""
    rows = await session.rows(
        _KeyRow, "get_thread", actor=anchor.actor, rkey=anchor.rkey, height=height, depth=depth, limit=max_replies
    )
    keys = [anchor, *(row.key for row in rows)]
    await hydrate_posts(session, state, keys, policy)
    posts = {post.key: post for post in state.posts.values()}
    if anchor not in posts:
        return None
    thread_posts = [posts[key] for key in keys if key in posts]
    likes = await _root_author_likes(session, did_of(posts[anchor].root_uri), thread_posts)
    replies = [posts[row.key] for row in rows if not row.is_above and row.key in posts]
    return Thread(posts[anchor], _by_parent(replies), likes)


async def with_op_thread(session: Session, thread: Thread) -> Thread:
    """The thread with the posts by which its first author goes on with it; one query."""
    root_uri = thread.anchor.root_uri
    root = post_key(session.keys, root_uri)
    if root is None:
        return thread
    rows = await session.rows(_OpThreadRow, "get_op_thread", actor=root.actor, rkey=root.rkey, limit=_MAX_OP_THREAD)
    did = did_of(root_uri)
    uris = tuple(uri_of(did, POST, rkey_of(row.rkey, row.rkey_text)) for row in rows)
    is_thread = 1 < len(uris) == len(set(uris))
    return replace(thread, op_thread=uris) if is_thread else thread


def _by_parent(posts: Iterable[Post]) -> dict[str, list[str]]:
    replies: dict[str, list[str]] = {}
    for post in sorted(posts, key=lambda post: (post.sort_at, post.key.rkey, post.key.actor), reverse=True):
        if post.parent_uri is not None:
            replies.setdefault(post.parent_uri, []).append(post.uri)
    return replies


async def _root_author_likes(session: Session, root_did: str, posts: list[Post]) -> dict[str, str]:
    uris = {post.key: post.uri for post in posts}
    rows = await session.rows(
        _LikeRow,
        "get_likes_by_actor",
        actor=session.keys.actor_id(root_did),
        actors=[key.actor for key in uris],
        rkeys=[key.rkey for key in uris],
    )
    return {
        uris[PostKey(row.subject_actor, row.subject_rkey)]: uri_of(root_did, LIKE, rkey_of(row.rkey, row.rkey_text))
        for row in rows
    }
