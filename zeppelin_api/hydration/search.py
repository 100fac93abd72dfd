"""Search: what was asked for, in parts; posts and names that are found, and whether they are what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import PostKey, RecordKey
from zeppelin_api.hydration.state import Account, Post
from zeppelin_api.pagination import START, Page, Position, end_of_page
from zeppelin_pipeline.atproto.datetimes import micros_of, time_of
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS
from zeppelin_pipeline.warehouse.search_terms import (
    MAX_PREFIX,
    found_words,
    handle_words,
    post_terms,
    term_numbers,
    words_of,
)

ACCOUNTS: Final = WELL_KNOWN_COLLECTIONS["app.bsky.actor.profile"]
GENERATORS: Final = WELL_KNOWN_COLLECTIONS["app.bsky.feed.generator"]
STARTER_PACKS: Final = WELL_KNOWN_COLLECTIONS["app.bsky.graph.starterpack"]
#: The best of so many of the newest posts are the top posts. Each may be two or three blocks that are on the disk only,
#: of its time and of its counts: some 500 in all, 350 ms one by one (`python -m bench.search --memory empty`).
TOP_CANDIDATES: Final = 250
_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)
#: As many words of a query count; further ones are looked for in what is found.
_MAX_NUMBERS: Final = 32


@dataclass(frozen=True, slots=True)
class PostQuery:
    """Which posts are asked for: those that have all of it.

    Attributes:
        terms: as `search_terms.post_terms` gives them.
        phrases: words that stand in this order without others between them.
        since: the earliest time.
        until: the first time that is too late.
    """

    terms: frozenset[str]
    phrases: tuple[tuple[str, ...], ...] = ()
    since: datetime = _EPOCH
    until: datetime = field(default=START.at)

    def matches(self, post: Post) -> bool:
        """Whether a post is what is asked for."""
        if not self.terms <= post_terms(post.did, post.record):
            return False
        words = words_of(post.record["text"]) if self.phrases else []
        return all(_has_phrase(words, phrase) for phrase in self.phrases)


def _has_phrase(words: list[str], phrase: tuple[str, ...]) -> bool:
    length = len(phrase)
    return any(tuple(words[at : at + length]) == phrase for at in range(len(words) - length + 1))


@dataclass(frozen=True, slots=True)
class NameQuery:
    """Which names are asked for: those with words that begin as all of these do.

    Attributes:
        text: as it was given, without case; a handle may begin with it.
        words: of it.
        is_handle: it looks like the beginning of a handle, which then has to begin so.
    """

    text: str
    words: tuple[str, ...]
    is_handle: bool = False

    @classmethod
    def read(cls, text: str) -> "NameQuery":
        """The query of a text; of one that looks like a handle the labels that tell handles apart."""
        plain = text.strip().removeprefix("@").lower()
        is_handle = "." in plain and not any(map(str.isspace, plain))
        words = handle_words(plain) if is_handle else words_of(plain)
        return cls(plain, tuple(words or filter(None, [plain])), is_handle)  # what has no word, no name begins with

    def matches_account(self, account: Account) -> bool:
        """Whether an account's name or handle is what is asked for."""
        handle = account.handle or ""
        if self.is_handle or handle.startswith(self.text):
            return handle.startswith(self.text)
        return self.matches_name((account.profile or {}).get("displayName"), handle_words(handle))

    def matches_name(self, name: Any, words: Sequence[str] = ()) -> bool:
        """Whether a name, with these words beside it, is what is asked for."""
        if not self.words:
            return True
        held = {*words, *found_words(name if isinstance(name, str) else "")}
        return all(any(word.startswith(wanted) for word in held) for wanted in self.words)


@dataclass(frozen=True, slots=True)
class _LatestRow:
    actor_id: int
    rkey: int
    sort_at: datetime


@dataclass(frozen=True, slots=True)
class _TopRow:
    actor_id: int
    rkey: int
    score: int
    tie: int


class _NameRow(NamedTuple):
    actor_id: int
    rkey: int
    rank: int


async def find_latest_posts(session: Session, query: PostQuery, start: Position, limit: int) -> Page[PostKey]:
    """Posts that are likely what is asked for, newest first."""
    rows = await session.rows(
        _LatestRow,
        "search_latest_posts",
        terms=term_numbers(query.terms)[:_MAX_NUMBERS],
        since=query.since,
        until=query.until,
        before_at=start.at,
        before_rkey=start.rkey,
        before_actor=start.last,
        limit=limit + 1,
    )
    return Page(
        [PostKey(row.actor_id, row.rkey) for row in rows[:limit]],
        end_of_page(rows, limit, lambda row: Position(row.sort_at, row.rkey, row.actor_id)),
    )


async def find_top_posts(session: Session, query: PostQuery, start: Position, limit: int) -> Page[PostKey]:
    """Posts that are likely what is asked for: of the newest those with the most answer, of those before `start.at`."""
    anchor = datetime.now(UTC) if start is START else start.at
    rows = await session.rows(
        _TopRow,
        "search_top_posts",
        terms=term_numbers(query.terms)[:_MAX_NUMBERS],
        since=query.since,
        until=query.until,
        before_at=anchor,
        candidates=TOP_CANDIDATES,
        before_score=start.rkey,
        before_tie=start.last,
        limit=limit + 1,
    )
    return Page(
        [PostKey(row.actor_id, row.rkey) for row in rows[:limit]],
        end_of_page(rows, limit, lambda row: Position(anchor, row.score, row.tie)),
    )


async def find_names(
    session: Session, collection: int, query: NameQuery, start: Position, limit: int
) -> Page[RecordKey]:
    """What of a collection likely has such a name, those of the highest rank first; accounts have the record key 0."""
    numbers = term_numbers(f"{collection}:{word[:MAX_PREFIX]}" for word in query.words)
    rows = await session.rows(
        _NameRow,
        "search_names" if numbers else "most_ranked_names",
        collection=collection,
        terms=numbers[:_MAX_NUMBERS],
        before_rank=micros_of(start.at),
        before_actor=start.last,
        before_rkey=start.rkey,
        limit=limit + 1,
    )
    return Page(
        [RecordKey(row.actor_id, collection, row.rkey) for row in rows[:limit]],
        end_of_page(rows, limit, lambda row: Position(time_of(row.rank), row.rkey, row.actor_id)),
    )
