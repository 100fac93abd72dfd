"""Pages of posts, newest first: those that quote a post, those of a list's members."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from zeppelin_api.db import Session
from zeppelin_api.hydration.blocks import load_blocked_pairs
from zeppelin_api.hydration.keys import PostKey, RecordKey
from zeppelin_api.hydration.posts import hydrate_posts
from zeppelin_api.hydration.state import Hydration, Post
from zeppelin_api.pagination import Page, Position, end_of_page
from zeppelin_api.policy import Policy

#: Of a longer list those who were added last make its feed. Each is looked at for each page: 30,000 took 0.5 s from
#: memory.
_MOST_MEMBERS: Final = 5_000
PostListQuery: TypeAlias = Literal["get_quotes", "get_list_feed"]


@dataclass(frozen=True, slots=True)
class _KeyRow:
    actor_id: int
    rkey: int
    sort_at: datetime


async def hydrate_post_list(
    session: Session,
    state: Hydration,
    query: PostListQuery,
    subject: RecordKey,
    start: Position,
    limit: int,
    policy: Policy,
    *,
    with_replied_to: bool = False,
    owner: str | None = None,
) -> Page[Post]:
    """One page, with all that the posts' views show put into the state.

    Args:
        session: where to read.
        state: where to put what is found.
        query: which posts.
        subject: the post that is quoted, or the list.
        start: where the page starts.
        limit: posts of it, shown or not.
        policy: what the service hides.
        with_replied_to: whether the posts that they answer are shown beside them, as in feeds.
        owner: the list's account, between which and the authors blocks are looked for where those hide.
    """
    rows = await session.rows(
        _KeyRow,
        query,
        actor=subject.actor,
        rkey=subject.rkey,
        before_at=start.at,
        before_rkey=start.rkey,
        before_actor=start.last,
        most_members=_MOST_MEMBERS,
        limit=limit + 1,
    )
    keys = [PostKey(row.actor_id, row.rkey) for row in rows[:limit]]
    await hydrate_posts(session, state, keys, policy, with_replied_to=with_replied_to)
    if owner is not None and policy.third_party_blocks_hide:
        await load_blocked_pairs(session, state, {frozenset((owner, post.did)) for post in state.posts.values()})
    posts = {post.key: post for post in state.posts.values()}
    return Page(
        [posts[key] for key in keys if key in posts],
        end_of_page(rows, limit, lambda row: Position(row.sort_at, row.rkey, row.actor_id)),
    )
