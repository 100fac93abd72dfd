"""Posts with all that their views show: embedded records, what they answer, gates, authors."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import load_accounts
from zeppelin_api.hydration.blocks import load_blocked_pairs
from zeppelin_api.hydration.keys import (
    LIST,
    POST,
    POSTGATE,
    THREADGATE,
    PostKey,
    RecordKey,
    collection_of,
    did_of,
    post_key,
    record_key,
    rkey_of,
    uri_of,
)
from zeppelin_api.hydration.records import load_records, read_record
from zeppelin_api.hydration.state import Hydration, Post
from zeppelin_api.policy import Policy

#: A post shows the posts that it embeds, and those that these embed, but nothing below.
EMBED_DEPTH: Final = 2
_THREADGATE_BIT: Final = 1
_POSTGATE_BIT: Final = 2


class _PostRow(NamedTuple):
    actor_id: int
    rkey: int
    did: str
    rkey_text: str | None
    sort_at: datetime
    raw: bytes
    likes: int
    reposts: int
    replies: int
    quotes: int
    broken_gates: int
    has_threadgate: bool
    has_postgate: bool


async def hydrate_posts(
    session: Session,
    state: Hydration,
    keys: Iterable[PostKey],
    policy: Policy,
    *,
    with_replied_to: bool = False,
    dids: Iterable[str] = (),
) -> None:
    """Put posts and all that their views show into the state, in a number of queries that does not depend on theirs.

    Args:
        session: where to read.
        state: where to put what is found.
        keys: the posts that are shown themselves.
        policy: what the service hides.
        with_replied_to: whether the posts that they answer are shown beside them, as in feeds.
        dids: further accounts that the answer shows.
    """
    shown = set(keys)
    await _load_with_embeds(session, state, shown, with_replied_to=with_replied_to)
    posts = list(state.posts.values())
    await load_records(session, state, _referenced_records(session, posts, policy))
    await load_records(session, state, _gate_lists(session, state))
    await load_accounts(session, state, {*dids, *state.dids(), *_grandparent_dids(state, posts)})
    if policy.third_party_blocks_hide:
        await _load_blocks(session, state, posts)


async def load_posts(session: Session, state: Hydration, keys: Collection[PostKey]) -> dict[PostKey, Post]:
    """Those posts that exist, put into the state too; one query."""
    if not keys:
        return {}
    rows = await session.rows(
        _PostRow, "get_posts", actors=[key.actor for key in keys], rkeys=[key.rkey for key in keys]
    )
    found = {post.key: post for post in map(_post, rows)}
    state.posts |= {post.uri: post for post in found.values()}
    return found


def _post(row: _PostRow) -> Post:
    record, cid = read_record(row.raw)
    return Post(
        key=PostKey(row.actor_id, row.rkey),
        uri=uri_of(row.did, POST, rkey_of(row.rkey, row.rkey_text)),
        cid=cid,
        did=row.did,
        record=record,
        sort_at=row.sort_at,
        likes=row.likes,
        reposts=row.reposts,
        replies=row.replies,
        quotes=row.quotes,
        breaks_threadgate=bool(row.broken_gates & _THREADGATE_BIT),
        breaks_postgate=bool(row.broken_gates & _POSTGATE_BIT),
        has_threadgate=row.has_threadgate,
        has_postgate=row.has_postgate,
    )


async def _load_with_embeds(session: Session, state: Hydration, shown: set[PostKey], *, with_replied_to: bool) -> None:
    """Load posts level by level: at most two levels of embeds, and one more for the posts that are answered."""
    known = {post.key: post for post in state.posts.values()}
    expanded: dict[PostKey, int] = {}  # down to which depth a post's embeds were asked for
    frontier = dict.fromkeys(shown, EMBED_DEPTH)
    while frontier:
        known |= await load_posts(session, state, [key for key in frontier if key not in known])
        expanded |= frontier
        further: dict[PostKey, int] = {}
        for key, depth in frontier.items():
            post = known.get(key)
            if post is None:
                continue
            for uri, at_depth in _next_uris(post, depth, is_answer_shown=with_replied_to and key in shown):
                other = post_key(session.keys, uri)
                if other is not None and expanded.get(other, -1) < at_depth:
                    further[other] = max(at_depth, further.get(other, 0))
        frontier = further


def _next_uris(post: Post, depth: int, *, is_answer_shown: bool) -> Iterable[tuple[str, int]]:
    """What is shown with a post, and how deep the embeds of that are shown."""
    if depth > 0 and post.embedded_uri is not None:
        yield post.embedded_uri, depth - 1
    if is_answer_shown and post.parent_uri is not None:
        yield post.parent_uri, EMBED_DEPTH
        yield post.root_uri, EMBED_DEPTH


def _referenced_records(session: Session, posts: list[Post], policy: Policy) -> set[RecordKey]:
    """Embedded records that are not posts, gates of thread roots, and, where they count, gates of embedded posts."""
    embedded = [(uri, post.has_postgate) for post in posts if (uri := post.embedded_uri) is not None]
    keys = {key for uri, _ in embedded if (key := record_key(session.keys, uri)) is not None and key.post is None}
    gates = {(post.root_uri, THREADGATE) for post in posts if post.has_threadgate}
    if policy.detached_quotes_hide:
        gates |= {(uri, POSTGATE) for uri, has_gate in embedded if has_gate}
    for uri, collection in gates:
        key = record_key(session.keys, uri)
        if key is not None and key.post is not None:
            keys.add(RecordKey(key.actor, session.keys.collection_id(collection), key.rkey))
    return keys


def _gate_lists(session: Session, state: Hydration) -> set[RecordKey]:
    """The lists that the threadgates found name."""
    rules = [
        rule
        for uri, gate in state.records.items()
        if collection_of(uri) == THREADGATE
        for rule in gate.record.get("allow", [])
    ]
    uris = [rule["list"] for rule in rules if isinstance(rule, dict) and isinstance(rule.get("list"), str)]
    list_collection = session.keys.collection_id(LIST)
    keys = {key for uri in uris if (key := record_key(session.keys, uri)) is not None}
    return {key for key in keys if key.collection == list_collection}


def _grandparent_dids(state: Hydration, posts: list[Post]) -> set[str]:
    """The authors that a feed names beside an answered post: those that this one answers."""
    parents = [state.posts.get(post.parent_uri) for post in posts if post.parent_uri is not None]
    return {did_of(parent.parent_uri) for parent in parents if parent is not None and parent.parent_uri is not None}


async def _load_blocks(session: Session, state: Hydration, posts: list[Post]) -> None:
    """Between which authors of posts, and those whom they answer or embed, there is a block; one query."""
    pairs = {
        frozenset((post.did, did_of(uri)))
        for post in posts
        for uri in (post.parent_uri, post.root_uri, post.embedded_uri)
        if uri is not None and did_of(uri) != post.did
    }
    await load_blocked_pairs(session, state, pairs)
