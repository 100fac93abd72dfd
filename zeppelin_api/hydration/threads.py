"""A thread: the posts above and below one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import LIKE, PostKey, did_of, rkey_of, uri_of
from zeppelin_api.hydration.posts import hydrate_posts
from zeppelin_api.hydration.state import Hydration, Post
from zeppelin_api.policy import Policy

#: JSON is written to 254 levels at most; a reply takes two, a parent one, and a post within up to 30.
MAX_DEPTH: Final = 100
MAX_HEIGHT: Final = 200


@dataclass(frozen=True, slots=True)
class Thread:
    """The shape of a thread.

    Attributes:
        anchor: the post that was asked for.
        replies: of each post's URI the URIs of its answers, newest first.
        root_author_likes: of each post's URI the URI of the like by the thread's first author.
    """

    anchor: Post
    replies: dict[str, list[str]]
    root_author_likes: dict[str, str]


@dataclass(frozen=True, slots=True)
class _KeyRow:
    actor_id: int
    rkey: int


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
    above = await session.rows(_KeyRow, "get_thread_ancestors", actor=anchor.actor, rkey=anchor.rkey, height=height)
    below = await session.rows(
        _KeyRow, "get_thread_descendants", actor=anchor.actor, rkey=anchor.rkey, depth=depth, limit=max_replies
    )
    keys = [anchor, *(PostKey(row.actor_id, row.rkey) for row in (*above, *below))]
    await hydrate_posts(session, state, keys, policy)
    posts = {post.key: post for post in state.posts.values()}
    if anchor not in posts:
        return None
    thread_posts = [posts[key] for key in keys if key in posts]
    likes = await _root_author_likes(session, did_of(posts[anchor].root_uri), thread_posts)
    replies = [posts[PostKey(row.actor_id, row.rkey)] for row in below if PostKey(row.actor_id, row.rkey) in posts]
    return Thread(posts[anchor], _by_parent(replies), likes)


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
