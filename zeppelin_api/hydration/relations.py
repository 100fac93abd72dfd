"""Lists of accounts by what they did: who likes, reposts, follows. Each account once, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import load_actors
from zeppelin_api.hydration.blocks import load_blocked_pairs
from zeppelin_api.hydration.keys import RecordKey
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.pagination import Page, Position
from zeppelin_api.policy import Policy


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


async def hydrate_subject_relations(
    session: Session,
    state: Hydration,
    query: Literal["get_likes", "get_reposters"],
    subject: RecordKey,
    cid_hash: bytes | None,
    start: Position,
    limit: int,
) -> Page[Relation]:
    """Who likes or reposts a record, with their accounts put into the state.

    Args:
        session: where to read.
        state: where to put accounts.
        query: which relation.
        subject: the record.
        cid_hash: only of this version of it: the SHA-256 of its CID.
        start: where the page starts.
        limit: rows of it, shown or not.
    """
    rows = await session.rows(
        _Row,
        query,
        actor=subject.actor,
        collection=subject.collection,
        rkey=subject.rkey,
        cid=cid_hash,
        **_bounds(start, limit),
    )
    return await _page(session, state, rows, limit)


async def hydrate_follows(
    session: Session,
    state: Hydration,
    query: Literal["get_followers", "get_follows"],
    did: str,
    start: Position,
    limit: int,
    policy: Policy,
) -> Page[Relation]:
    """Who follows an account, or whom it follows, with their accounts put into the state.

    Where blocks of third parties hide, those are left out that a block stands between and the account.
    """
    rows = await session.rows(_Row, query, actor=session.keys.actor_id(did), **_bounds(start, limit))
    page = await _page(session, state, rows, limit)
    if not policy.third_party_blocks_hide:
        return page
    await load_blocked_pairs(session, state, {frozenset((did, relation.did)) for relation in page.items})
    return page.shown(lambda found: None if frozenset((did, found.did)) in state.blocked_pairs else found)


def _bounds(start: Position, limit: int) -> dict[str, object]:
    return {"before_at": start.at, "before_rkey": start.rkey, "before_actor": start.last, "limit": limit + 1}


async def _page(session: Session, state: Hydration, rows: list[_Row], limit: int) -> Page[Relation]:
    shown = rows[:limit]
    dids = await load_actors(session, state, [row.other_actor for row in shown])
    items = [Relation(dids[row.other_actor], row.created_at, row.sort_at) for row in shown if row.other_actor in dids]
    last = shown[-1] if len(rows) > limit else None
    return Page(items, None if last is None else Position(last.sort_at, last.rkey, last.actor_id))
