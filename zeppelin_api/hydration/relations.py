"""Lists of accounts by what they did: who likes, reposts, follows. Each account once, newest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import load_actors
from zeppelin_api.hydration.blocks import load_blocked_pairs
from zeppelin_api.hydration.keys import RecordKey
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.pagination import START, Page, Position, end_of_page
from zeppelin_api.policy import Policy

#: Of a record with more likes or reposts the newest are not looked for: with 200,000 in memory that took 0.5 s a page.
_MOST_SORTED: Final = 10_000
#: Lists of what was done to a record, and the queries that give them by account.
SubjectQuery: TypeAlias = Literal["get_likes", "get_reposters"]
_BY_ACCOUNT: Final[dict[SubjectQuery, str]] = {
    "get_likes": "get_likes_by_account",
    "get_reposters": "get_reposters_by_account",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """An account in such a list.

    Attributes:
        did: the account.
        created_at: when it says that it did it.
        sort_at: least(created_at, first seen).
    """

    did: str
    created_at: datetime
    sort_at: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    actor_id: int
    other_actor: int
    rkey: int
    created_at: datetime
    sort_at: datetime


@dataclass(frozen=True, slots=True)
class _SubjectRow(_Row):
    is_shown: bool


async def hydrate_subject_relations(
    session: Session,
    state: Hydration,
    query: SubjectQuery,
    subject: RecordKey,
    subject_did: str,
    cid_hash: bytes | None,
    start: Position,
    limit: int,
    policy: Policy,
) -> Page[Relation]:
    """Who likes or reposts a record, with their accounts put into the state; by account where they are very many.

    Where blocks of third parties hide, likes are left out that a block stands between and the record's account.

    Args:
        session: where to read.
        state: where to put accounts.
        query: which relation.
        subject: the record.
        subject_did: its account.
        cid_hash: only of this version of it: the SHA-256 of its CID.
        start: where the page starts.
        limit: rows of it, shown or not.
        policy: what the service hides.
    """
    rows, place = await _subject_rows(session, query, subject, cid_hash, start, limit)
    page = await _page(session, state, rows, limit, [row for row in rows[:limit] if row.is_shown], place=place)
    if query != "get_likes" or not policy.third_party_blocks_hide:
        return page
    return await _without_blocked(session, state, subject_did, page)


async def _subject_rows(
    session: Session, query: SubjectQuery, subject: RecordKey, cid_hash: bytes | None, start: Position, limit: int
) -> tuple[list[_SubjectRow], Callable[[_Row], Position]]:
    """One row more than asked for, and where the next page starts after a row; lists go on as they began."""
    what = {"actor": subject.actor, "collection": subject.collection, "rkey": subject.rkey, "cid": cid_hash}
    is_by_account = start.at == START.at and start.rkey != START.rkey
    if not is_by_account:
        rows = await session.rows(_SubjectRow, query, most_sorted=_MOST_SORTED, **what, **_bounds(start, limit))
        if rows:
            return rows, _position
    rows = await session.rows(
        _SubjectRow,
        _BY_ACCOUNT[query],
        more_than=0 if is_by_account else _MOST_SORTED,
        before_actor=start.last if is_by_account else START.last,
        limit=limit + 1,
        **what,
    )
    return rows, _position_by_account


async def hydrate_follows(
    session: Session,
    state: Hydration,
    query: Literal["get_followers", "get_follows"],
    did: str,
    start: Position,
    limit: int,
    policy: Policy,
) -> Page[Relation]:
    """Who follows an account, or whom it follows, with their accounts and its own put into the state.

    Where blocks of third parties hide, those are left out that a block stands between and the account.
    """
    actor = session.keys.actor_id(did)
    rows = await session.rows(_Row, query, actor=actor, **_bounds(start, limit))
    page = await _page(session, state, rows, limit, rows[:limit], [] if did in state.accounts else [actor])
    return page if not policy.third_party_blocks_hide else await _without_blocked(session, state, did, page)


async def _without_blocked(session: Session, state: Hydration, did: str, page: Page[Relation]) -> Page[Relation]:
    """The page without the accounts that a block stands between and that one; one query."""
    await load_blocked_pairs(session, state, {frozenset((did, relation.did)) for relation in page.items})
    return page.shown(lambda found: None if frozenset((did, found.did)) in state.blocked_pairs else found)


def _bounds(start: Position, limit: int) -> dict[str, object]:
    return {"before_at": start.at, "before_rkey": start.rkey, "before_actor": start.last, "limit": limit + 1}


def _position(row: _Row) -> Position:
    return Position(row.sort_at, row.rkey, row.actor_id)


def _position_by_account(row: _Row) -> Position:
    """In a list that is not by time: of a time that no row has, and not the start."""
    return Position(START.at, 0, row.actor_id)


async def _page(
    session: Session,
    state: Hydration,
    rows: Sequence[_Row],
    limit: int,
    shown: Sequence[_Row],
    further: Sequence[int] = (),
    place: Callable[[_Row], Position] = _position,
) -> Page[Relation]:
    """Those of the rows that are shown; the page ends with the last row that it was made of. One query.

    Args:
        session: where to read.
        state: where to put accounts.
        rows: of the page, and one more where there is one.
        limit: rows of the page.
        shown: of these.
        further: accounts that are shown beside them.
        place: of a row, where the next page starts after it.
    """
    dids = await load_actors(session, state, [*further, *(row.other_actor for row in shown)])
    items = [Relation(dids[row.other_actor], row.created_at, row.sort_at) for row in shown if row.other_actor in dids]
    return Page(items, end_of_page(rows, limit, place))
