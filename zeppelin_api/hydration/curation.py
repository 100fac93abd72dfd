"""What accounts make for others: their lists, starter packs and feed generators, and who is on a list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import load_accounts, load_actors
from zeppelin_api.hydration.blocks import load_blocked_pairs
from zeppelin_api.hydration.keys import (
    GENERATOR,
    LIST,
    LIST_ITEM,
    STARTER_PACK,
    RecordKey,
    did_of,
    record_key,
    rkey_of,
    uri_of,
)
from zeppelin_api.hydration.records import load_records
from zeppelin_api.hydration.state import Hydration, StoredRecord
from zeppelin_api.pagination import START, Page, Position, end_of_page
from zeppelin_api.policy import Policy

MODERATION_LIST: Final = "app.bsky.graph.defs#modlist"
MadeQuery: TypeAlias = Literal["get_lists", "get_starter_packs", "get_actor_feeds"]
_MADE: Final[Mapping[MadeQuery, str]] = {
    "get_lists": LIST,
    "get_starter_packs": STARTER_PACK,
    "get_actor_feeds": GENERATOR,
}
#: A starter pack shows so many members, of the newest so many.
_SAMPLE: Final = 12
_SAMPLED: Final = 50


@dataclass(frozen=True, slots=True)
class Member:
    """An account on a list.

    Attributes:
        uri: of the item.
        did: the account.
        followers: that it has.
    """

    uri: str
    did: str
    followers: int


@dataclass(frozen=True, slots=True)
class _KeyRow:
    actor_id: int
    rkey: int
    sort_at: datetime


@dataclass(frozen=True, slots=True)
class _MemberRow:
    subject_actor: int
    rkey: int
    rkey_text: str | None
    sort_at: datetime
    followers: int


async def hydrate_records(session: Session, state: Hydration, collection: str, uris: Iterable[str]) -> None:
    """Put those records of a collection into the state that exist, with their accounts; two queries."""
    await load_records_of(session, state, collection, uris)
    await load_accounts(session, state, state.dids())


async def load_records_of(session: Session, state: Hydration, collection: str, uris: Iterable[str]) -> None:
    """Put those records of a collection into the state that exist; one query."""
    number = session.keys.collection_id(collection)
    keys = {key for uri in uris if (key := record_key(session.keys, uri)) is not None}
    await load_records(session, state, [key for key in keys if key.collection == number])


async def hydrate_made(
    session: Session, state: Hydration, query: MadeQuery, did: str, start: Position, limit: int, **filters: object
) -> Page[StoredRecord]:
    """One page of what an account made of one kind, with what their views show put into the state."""
    rows = await session.rows(
        _KeyRow,
        query,
        actor=session.keys.actor_id(did),
        before_at=start.at,
        before_rkey=start.rkey,
        limit=limit + 1,
        **filters,
    )
    collection = session.keys.collection_id(_MADE[query])
    keys = [RecordKey(row.actor_id, collection, row.rkey) for row in rows[:limit]]
    await load_records(session, state, keys)
    await load_accounts(session, state, state.dids())
    by_key = {record_key(session.keys, uri): stored for uri, stored in state.records.items()}
    return Page([by_key[key] for key in keys if key in by_key], _end(rows, limit))


def _end(rows: Sequence[_KeyRow | _MemberRow], limit: int) -> Position | None:
    return end_of_page(rows, limit, lambda row: Position(row.sort_at, row.rkey, 0))


async def hydrate_starter_pack(session: Session, state: Hydration, uri: str, policy: Policy) -> list[Member]:
    """Put a starter pack into the state, with its list, its feeds and their accounts.

    Returns:
        Of the newest members of its list those with the most followers.
    """
    key = record_key(session.keys, uri)
    if key is None or key.collection != session.keys.collection_id(STARTER_PACK):
        return []
    await load_records(session, state, [key])
    stored = state.records.get(uri)
    if stored is None:
        return []
    named = [stored.record["list"], *(feed["uri"] for feed in stored.record.get("feeds", []))]
    keys = {name: key for name in named if (key := record_key(session.keys, name)) is not None}
    await load_records(session, state, keys.values())
    newest = await hydrate_members(session, state, stored.record["list"], START, _SAMPLED, policy)
    await load_accounts(session, state, state.dids())  # where it names no list
    return sorted(newest.items, key=lambda member: -member.followers)[:_SAMPLE]


async def hydrate_members(
    session: Session, state: Hydration, list_uri: str, start: Position, limit: int, policy: Policy
) -> Page[Member]:
    """One page of who is on a list, with their accounts put into the state, and those of all records that are there.

    Where blocks of third parties hide, members that a block stands between and the list's account are left out, but not
    of a list that is there to block.
    """
    key = record_key(session.keys, list_uri)
    if key is None or key.collection != session.keys.collection_id(LIST):
        return Page([], None)
    rows = await session.rows(
        _MemberRow,
        "get_list_members",
        actor=key.actor,
        rkey=key.rkey,
        before_at=start.at,
        before_rkey=start.rkey,
        limit=limit + 1,
    )
    shown = rows[:limit]
    owner = did_of(list_uri)
    authors = (session.keys.actor_id(did) for did in {owner, *state.dids()} - state.accounts.keys())
    dids = await load_actors(session, state, [*authors, *(row.subject_actor for row in shown)])
    members = [
        Member(uri_of(owner, LIST_ITEM, rkey_of(row.rkey, row.rkey_text)), dids[row.subject_actor], row.followers)
        for row in shown
        if row.subject_actor in dids
    ]
    stored = state.records.get(list_uri)
    if policy.third_party_blocks_hide and (stored is None or stored.record["purpose"] != MODERATION_LIST):
        await load_blocked_pairs(session, state, {frozenset((owner, member.did)) for member in members})
        members = [member for member in members if frozenset((owner, member.did)) not in state.blocked_pairs]
    return Page(members, _end(rows, limit))
