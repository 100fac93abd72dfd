"""Feed generators: by their URIs, and those of an account."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import load_accounts
from zeppelin_api.hydration.keys import GENERATOR, RecordKey, record_key
from zeppelin_api.hydration.records import load_records
from zeppelin_api.hydration.state import Hydration, StoredRecord
from zeppelin_api.pagination import Page, Position, last_of_page


@dataclass(frozen=True, slots=True)
class _KeyRow:
    actor_id: int
    rkey: int
    sort_at: datetime


async def hydrate_generators(session: Session, state: Hydration, uris: Iterable[str]) -> None:
    """Put those generators into the state that exist, with their accounts; two queries."""
    collection = session.keys.collection_id(GENERATOR)
    keys = [key for uri in uris if (key := record_key(session.keys, uri)) is not None]
    await load_records(session, state, [key for key in keys if key.collection == collection])
    await load_accounts(session, state, state.dids())


async def hydrate_actor_feeds(
    session: Session, state: Hydration, did: str, start: Position, limit: int
) -> Page[StoredRecord]:
    """One page of an account's generators, with what their views show put into the state."""
    rows = await session.rows(
        _KeyRow,
        "get_actor_feeds",
        actor=session.keys.actor_id(did),
        before_at=start.at,
        before_rkey=start.rkey,
        before_actor=start.last,
        limit=limit + 1,
    )
    collection = session.keys.collection_id(GENERATOR)
    keys = [RecordKey(row.actor_id, collection, row.rkey) for row in rows[:limit]]
    await load_records(session, state, keys)
    await load_accounts(session, state, state.dids())
    by_key = {record_key(session.keys, uri): stored for uri, stored in state.records.items()}
    last = last_of_page(rows, limit)
    return Page(
        [by_key[key] for key in keys if key in by_key],
        None if last is None else Position(last.sort_at, last.rkey, last.actor_id),
    )
