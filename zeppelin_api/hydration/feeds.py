"""Feeds: an account's own, newest first, and those that others made of posts and reposts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.columns import RecordReference, encode_engagement
from zeppelin_api.hydration.keys import POST, REPOST, PostKey, post_key, record_key, rkey_of, uri_of
from zeppelin_api.hydration.posts import hydrate_posts
from zeppelin_api.hydration.state import Hydration, Post, Repost
from zeppelin_api.pagination import Page, Position, end_of_page
from zeppelin_api.policy import Policy
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.warehouse.contents import Content, read_content

_IMAGES: Final = 1
_VIDEO: Final = 8
_GALLERY: Final = 16
#: Posts, and reposts, that one query looks at: all 200,000 of an account, none of them wanted, took 0.3 s from memory.
_SCANNED: Final = 2_000


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """What of an account's activity a feed shows.

    Attributes:
        replies: `all`, `none`, or `own-threads`: those in threads that the account started.
        embed_bits: only posts with one of these embeds; 0 is no restriction.
        with_reposts: whether reposts are shown.
        is_self_threads_only: whether a reply is shown only when all above it on its page is shown too.
    """

    replies: str = "all"
    embed_bits: int = 0
    with_reposts: bool = True
    is_self_threads_only: bool = False


FEED_FILTERS: Final[Mapping[str, FeedFilter]] = {
    "posts_with_replies": FeedFilter(),
    "posts_no_replies": FeedFilter(replies="none"),
    "posts_with_media": FeedFilter(embed_bits=_IMAGES | _GALLERY, with_reposts=False),
    "posts_and_author_threads": FeedFilter(replies="own-threads", is_self_threads_only=True),
    "posts_with_video": FeedFilter(embed_bits=_VIDEO, with_reposts=False),
}


@dataclass(frozen=True, slots=True)
class FeedItem:
    """A post in a feed, and why it is there: posted, reposted, or pinned.

    Attributes:
        context: what the maker of the feed wants to be told again when somebody does something with the post.
    """

    post_uri: str
    repost_uri: str | None = None
    is_pinned: bool = False
    context: str | None = None


@dataclass(frozen=True, slots=True)
class _FeedRow:
    is_repost: int
    post_actor: int
    post_rkey: int
    rkey: int
    rkey_text: str | None
    sort_at: datetime
    created_at: datetime
    content: bytes
    via_actor: int | None
    via_rkey: int | None
    via_rkey_text: str | None

    @property
    def post_key(self) -> PostKey:
        return PostKey(self.post_actor, self.post_rkey)

    @property
    def position(self) -> Position:
        return Position(self.sort_at, self.rkey, self.is_repost)


@dataclass(frozen=True, slots=True)
class _AuthorRow(_FeedRow):
    """One of an account's own.

    Attributes:
        is_wanted: by the filter.
        is_end: the query looked no further.
    """

    is_wanted: bool
    is_end: bool


@dataclass(frozen=True, slots=True)
class _RepostRow(_FeedRow):
    did: str

    @property
    def uri(self) -> str:
        return uri_of(self.did, REPOST, rkey_of(self.rkey, self.rkey_text))


@dataclass(frozen=True, slots=True)
class _DidRow:
    actor_id: int
    did: str


async def hydrate_author_feed(
    session: Session,
    state: Hydration,
    did: str,
    feed_filter: FeedFilter,
    start: Position,
    limit: int,
    policy: Policy,
    pinned: PostKey | None = None,
) -> Page[FeedItem]:
    """One page of an account's feed, with all that its views show put into the state.

    Items whose posts are gone are left out; the page can be shorter than asked for though the list goes on, and empty
    where the filter wants none of the thousands that were looked at.
    """
    rows, following = await _feed_rows(session, did, feed_filter, start, limit)
    shown = [row for row in rows if row.is_wanted]
    keys = [row.post_key for row in shown] + ([] if pinned is None else [pinned])
    await hydrate_posts(session, state, keys, policy, with_replied_to=True, dids=[did])
    posts = {post.key: post for post in state.posts.values()}
    reposts = [(did, row) for row in shown if row.is_repost]
    state.reposts |= {repost.uri: repost for repost in await _reposts(session, reposts, posts)}
    items = [_item(did, row, posts[row.post_key]) for row in shown if row.post_key in posts]
    return Page(items, following)


async def hydrate_feed_items(
    session: Session, state: Hydration, items: Iterable[FeedItem], policy: Policy
) -> list[FeedItem]:
    """Put all that the views of a feed's items show into the state.

    Returns:
        The items without those whose repost does not exist or is of another post.
    """
    keys = {item: post_key(session.keys, item.post_uri) for item in items}
    rows = await _repost_rows(session, [item.repost_uri for item in keys if item.repost_uri is not None])
    shown = [key for key in keys.values() if key is not None]
    await hydrate_posts(session, state, shown, policy, with_replied_to=True, dids=[row.did for row in rows.values()])
    posts = {post.key: post for post in state.posts.values()}
    reposts = await _reposts(session, [(row.did, row) for row in rows.values()], posts)
    state.reposts |= {repost.uri: repost for repost in reposts}

    def is_whole(item: FeedItem) -> bool:
        return item.repost_uri is None or (item.repost_uri in rows and rows[item.repost_uri].post_key == keys[item])

    return [item for item in keys if is_whole(item)]


async def _repost_rows(session: Session, uris: Iterable[str]) -> dict[str, _RepostRow]:
    """The reposts of posts among those URIs; one query when there are any."""
    collection = session.keys.collection_id(REPOST)
    named = [key for uri in uris if (key := record_key(session.keys, uri)) is not None]
    wanted = [key for key in named if key.collection == collection]
    if not wanted:
        return {}
    rows = await session.rows(
        _RepostRow, "get_reposts", actors=[key.actor for key in wanted], rkeys=[key.rkey for key in wanted]
    )
    return {row.uri: row for row in rows}


async def _feed_rows(
    session: Session, did: str, feed_filter: FeedFilter, start: Position, limit: int
) -> tuple[list[_AuthorRow], Position | None]:
    """At most so many rows, and where those after them start; None at the end."""
    rows = await session.rows(
        _AuthorRow,
        "get_author_feed",
        actor=session.keys.actor_id(did),
        replies=feed_filter.replies,
        embed_bits=feed_filter.embed_bits,
        with_reposts=feed_filter.with_reposts,
        before_at=start.at,
        before_rkey=start.rkey,
        before_is_repost=max(-1, min(start.last, 2)),  # another list's cursor has any number there
        scanned=_SCANNED,
        limit=limit + 1,
    )
    shown = rows[:limit]
    for number, row in enumerate(shown, 1):
        if row.is_end:  # what is older of the other kind waits for what was not looked at of this one
            return shown[:number], row.position
    return shown, end_of_page(rows, limit, lambda row: row.position)


async def _reposts(
    session: Session, rows: Iterable[tuple[str, _FeedRow]], posts: Mapping[PostKey, Post]
) -> list[Repost]:
    """Reposts of posts that are there, with their CIDs; a query only when one came by way of another."""
    reposts = [(did, row) for did, row in rows if row.post_key in posts]
    vias = {row.via_actor for _, row in reposts if row.via_actor is not None}
    found = await session.rows(_DidRow, "get_dids", actors=list(vias)) if vias else []
    dids = {row.actor_id: row.did for row in found}
    return [_repost(did, row, posts[row.post_key], dids) for did, row in reposts]


def _repost(did: str, row: _FeedRow, subject: Post, dids: Mapping[int, str]) -> Repost:
    content = read_content(row.content)
    raw = content.raw if content.raw is not None else _encode(row, content, subject, dids)
    uri = uri_of(did, REPOST, rkey_of(row.rkey, row.rkey_text))
    return Repost(uri, cid_to_text(cid_of(raw)), did, row.sort_at)


def _encode(row: _FeedRow, content: Content, subject: Post, dids: Mapping[int, str]) -> bytes:
    """The block of a repost whose columns determine it."""
    via = None
    if row.via_actor is not None and row.via_rkey is not None and content.via_cid is not None:
        via_rkey = rkey_of(row.via_rkey, row.via_rkey_text)
        via = RecordReference(dids[row.via_actor], REPOST, via_rkey, content.via_cid)
    reposted = RecordReference(subject.did, POST, subject.uri.rpartition("/")[2], content.subject_cid)
    return encode_engagement(REPOST, reposted, row.created_at, via)


def _item(did: str, row: _FeedRow, post: Post) -> FeedItem:
    repost_uri = uri_of(did, REPOST, rkey_of(row.rkey, row.rkey_text)) if row.is_repost else None
    return FeedItem(post.uri, repost_uri)
