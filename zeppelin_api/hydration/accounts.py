"""Accounts: names to DIDs, DIDs to all that profile views show."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from zeppelin_api.db import Session
from zeppelin_api.errors import invalid_request
from zeppelin_api.hydration.keys import (
    CHAT_DECLARATION,
    GERM_DECLARATION,
    NOTIFICATION_DECLARATION,
    SELF_RKEY,
    STATUS,
    VERIFICATION,
    did_of,
    rkey_of,
    uri_of,
)
from zeppelin_api.hydration.records import REMEMBERED_BYTES, least_time, read_record
from zeppelin_api.hydration.state import Account, Hydration, JsonRecord, StoredRecord, Verification
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, nsid_of_number

_STATUS, _NOTIFICATIONS, _CHAT, _GERM = map(
    WELL_KNOWN_COLLECTIONS.__getitem__, (STATUS, NOTIFICATION_DECLARATION, CHAT_DECLARATION, GERM_DECLARATION)
)
_NOTHING: Final[Mapping[int, StoredRecord]] = MappingProxyType({})
#: Accounts that are kept made, those whose records have a usual size: at most 60 MB of them with their views.
_REMEMBERED: Final = 8_192


class _AccountRow(NamedTuple):
    actor_id: int
    asked_handle: str | None
    did: str
    handle: str | None
    status: str | None
    profile: bytes | None
    created_at: datetime | None
    sort_at: datetime | None
    is_labeler: bool
    declared_collections: Sequence[int] | None
    declared_times: Sequence[datetime] | None
    declared_raws: Sequence[bytes] | None
    verifier_actors: Sequence[int] | None
    verification_rkeys: Sequence[int] | None
    verification_rkey_texts: Sequence[str | None] | None
    verification_times: Sequence[datetime] | None
    verifications: Sequence[bytes] | None


@dataclass(frozen=True, slots=True)
class _HandleRow:
    handle: str
    did: str


@dataclass(frozen=True, slots=True)
class ProfileCounts:
    """What a detailed profile counts."""

    actor_id: int
    followers: int
    follows: int
    posts: int
    lists: int
    generators: int
    starter_packs: int


async def resolve_identifiers(
    session: Session, identifiers: Iterable[str], state: Hydration | None = None
) -> dict[str, str]:
    """The DID of each handle or DID; a handle that nobody has is left out. One query where there are handles.

    Args:
        session: where to read.
        identifiers: handles and DIDs.
        state: where to put the accounts that have the handles; nothing else of them is read without it.
    """
    wanted = list(identifiers)
    dids = {text: text for text in wanted if text.startswith("did:")}
    handles = {text: text.lower() for text in wanted if text not in dids}
    if handles:
        by_handle = await _find(session, sorted(set(handles.values())), state)
        dids |= {text: by_handle[handle] for text, handle in handles.items() if handle in by_handle}
    return dids


async def _find(session: Session, handles: list[str], state: Hydration | None) -> dict[str | None, str]:
    """The DID of each of the handles that somebody has; one query, two where a handle is contended."""
    if state is not None:
        return {row.asked_handle: row.did for row in await _load(session, state, [], handles)}
    asked = {"handles": handles, "accepts_pending": session.accepts_pending_handles}
    rows = await session.rows(_HandleRow, "find_handles", **asked)
    dids: dict[str | None, str] = {row.handle: row.did for row in rows}
    if len(dids) < len(rows):
        dids = {row.handle: row.did for row in await session.rows(_HandleRow, "settle_handles", **asked)}
    return dids


async def resolve_actor(session: Session, identifier: str, state: Hydration | None = None) -> str:
    """The DID of a handle or DID; the account that has the handle is put into the state.

    Raises:
        ApiError: `InvalidRequest`, nobody has the handle.
    """
    did = (await resolve_identifiers(session, [identifier], state)).get(identifier)
    if did is None:
        raise invalid_request("Profile not found")
    return did


async def uri_by_did(session: Session, uri: str, state: Hydration) -> str:
    """The URI with the DID in place of a handle, whose account is put into the state; unchanged when nobody has it."""
    authority = did_of(uri)
    did = (await resolve_identifiers(session, [authority], state)).get(authority, authority)
    return uri.replace(authority, did, 1)


async def load_accounts(session: Session, state: Hydration, dids: Iterable[str]) -> None:
    """Put those accounts into the state that it lacks and that are known; one query."""
    missing = {did for did in dids if did not in state.accounts}
    await load_actors(session, state, [session.keys.actor_id(did) for did in missing])


async def load_actors(session: Session, state: Hydration, actors: Collection[int]) -> dict[int, str]:
    """Put accounts into the state by their keys; one query.

    Returns:
        The DID of each key whose account is known.
    """
    rows = await _load(session, state, actors, []) if actors else []
    return {row.actor_id: row.did for row in rows}


async def _load(session: Session, state: Hydration, actors: Collection[int], handles: list[str]) -> list[_AccountRow]:
    verifiers = {session.keys.actor_id(did): did for did in session.verifiers}
    lacking = (actor for actor, did in verifiers.items() if did not in state.accounts)
    rows = await session.rows(
        _AccountRow,
        "get_accounts",
        actors=list({*actors, *lacking}),
        handles=handles,
        has_handles=bool(handles),
        verifiers=list(verifiers),
        self_rkey=session.keys.rkey_id(SELF_RKEY),
        accepts_pending=session.accepts_pending_handles,
    )
    state.accounts |= {row.did: _account(row, verifiers) for row in rows}
    return rows


async def load_profile_counts(session: Session, dids: Iterable[str]) -> dict[str, ProfileCounts]:
    """The counts of detailed profiles, by DID; one query."""
    actors = {session.keys.actor_id(did): did for did in dids}
    if not actors:
        return {}
    rows = await session.rows(ProfileCounts, "get_profile_counts", actors=list(actors))
    return {actors[row.actor_id]: row for row in rows}


def _account(row: _AccountRow, verifiers: Mapping[int, str]) -> Account:
    """The account of a row. The same row gives the same object, so that views of it are made once for many answers."""
    if row.asked_handle is not None:
        row = row._replace(asked_handle=None)
    raws = (row.profile or b"", *(row.declared_raws or ()), *(row.verifications or ()))
    if sum(map(len, raws)) > REMEMBERED_BYTES:
        return _make(row, verifiers)
    if len(raws) > 1:  # few accounts have lists
        row = _AccountRow._make(tuple(each) if isinstance(each, list) else each for each in row)
    return _make_once(row, tuple(verifiers.items()))


@lru_cache(_REMEMBERED)
def _make_once(row: _AccountRow, verifiers: tuple[tuple[int, str], ...]) -> Account:
    return _make(row, dict(verifiers))


def _make(row: _AccountRow, verifiers: Mapping[int, str]) -> Account:
    profile, cid = (None, None) if row.profile is None else read_record(row.profile)
    declared = _declared(row)
    return Account(
        did=row.did,
        handle=row.handle,
        status=row.status,
        created_at=row.created_at,
        sort_at=row.sort_at,
        profile=profile,
        profile_cid=cid,
        is_labeler=row.is_labeler,
        live_status=declared.get(_STATUS),
        chat=_record_of(declared, _CHAT),
        notifications=_record_of(declared, _NOTIFICATIONS),
        germ=_record_of(declared, _GERM),
        is_trusted_verifier=row.actor_id in verifiers,
        verifications=tuple(sorted(_verifications(row, verifiers), key=_verified_at)),
    )


def _verifications(row: _AccountRow, verifiers: Mapping[int, str]) -> Iterator[Verification]:
    columns = (
        row.verifier_actors or (),
        row.verification_rkeys or (),
        row.verification_rkey_texts or (),
        row.verification_times or (),
        row.verifications or (),
    )
    for actor, rkey, rkey_text, sort_at, raw in zip(*columns, strict=True):
        issuer = verifiers[actor]
        record, _ = read_record(raw)
        uri = uri_of(issuer, VERIFICATION, rkey_of(rkey, rkey_text))
        yield Verification(uri, issuer, record["handle"], record["displayName"], sort_at)


def _verified_at(verification: Verification) -> tuple[datetime, str]:
    """Oldest first."""
    return verification.sort_at, verification.issuer


def _declared(row: _AccountRow) -> Mapping[int, StoredRecord]:
    """The records of the account that speak of itself beside its profile, by their collections."""
    if row.declared_collections is None:
        return _NOTHING
    found: dict[int, StoredRecord] = {}
    columns = (row.declared_collections, row.declared_times or (), row.declared_raws or ())
    for collection, indexed_at, raw in zip(*columns, strict=True):
        uri = uri_of(row.did, nsid_of_number(collection) or "", SELF_RKEY)
        record, cid = read_record(raw)
        found[collection] = StoredRecord(uri, cid, row.did, record, least_time(record, indexed_at))
    return found


def _record_of(declared: Mapping[int, StoredRecord], collection: int) -> JsonRecord | None:
    return declared[collection].record if collection in declared else None
