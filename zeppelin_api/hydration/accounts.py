"""Accounts: names to DIDs, DIDs to all that profile views show."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from zeppelin_api.db import Session
from zeppelin_api.errors import invalid_request
from zeppelin_api.hydration.keys import SELF_RKEY, STATUS, VERIFICATION, did_of, rkey_of, uri_of
from zeppelin_api.hydration.records import least_time, read_record
from zeppelin_api.hydration.state import Account, Hydration, JsonRecord, StoredRecord, Verification


@dataclass(frozen=True, slots=True)
class _HandleRow:
    handle: str
    did: str


@dataclass(frozen=True, slots=True)
class _AccountRow:
    actor_id: int
    did: str
    handle: str | None
    status: str | None
    profile: bytes | None
    created_at: datetime | None
    sort_at: datetime | None
    is_labeler: bool
    live_status: bytes | None
    live_status_at: datetime | None
    notification_declaration: bytes | None
    chat_declaration: bytes | None
    germ_declaration: bytes | None
    verifier_actors: list[int] | None
    verification_rkeys: list[int] | None
    verification_rkey_texts: list[str | None] | None
    verification_times: list[datetime] | None
    verifications: list[bytes] | None


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


async def resolve_identifiers(session: Session, identifiers: Iterable[str]) -> dict[str, str]:
    """The DID of each handle or DID; a handle that nobody has is left out."""
    wanted = list(identifiers)
    dids = {text: text for text in wanted if text.startswith("did:")}
    handles = {text: text.lower() for text in wanted if text not in dids}
    if handles:
        rows = await session.rows(
            _HandleRow,
            "find_accounts_by_handle",
            handles=sorted(set(handles.values())),
            accepts_pending=session.accepts_pending_handles,
        )
        by_handle = {row.handle: row.did for row in rows}
        dids |= {text: by_handle[handle] for text, handle in handles.items() if handle in by_handle}
    return dids


async def resolve_actor(session: Session, identifier: str) -> str:
    """The DID of a handle or DID.

    Raises:
        ApiError: `InvalidRequest`, nobody has the handle.
    """
    did = (await resolve_identifiers(session, [identifier])).get(identifier)
    if did is None:
        raise invalid_request("Profile not found")
    return did


async def uri_by_did(session: Session, uri: str) -> str:
    """The URI with the DID in place of a handle; unchanged when nobody has that handle."""
    authority = did_of(uri)
    did = (await resolve_identifiers(session, [authority])).get(authority, authority)
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
    if not actors:
        return {}
    verifiers = {session.keys.actor_id(did): did for did in session.verifiers}
    rows = await session.rows(
        _AccountRow,
        "get_accounts",
        actors=list({*actors, *verifiers}),
        verifiers=list(verifiers),
        self_rkey=session.keys.rkey_id(SELF_RKEY),
        accepts_pending=session.accepts_pending_handles,
    )
    state.accounts |= {row.did: _account(row, verifiers) for row in rows}
    return {row.actor_id: row.did for row in rows}


async def load_profile_counts(session: Session, dids: Iterable[str]) -> dict[str, ProfileCounts]:
    """The counts of detailed profiles, by DID; one query."""
    actors = {session.keys.actor_id(did): did for did in dids}
    if not actors:
        return {}
    rows = await session.rows(ProfileCounts, "get_profile_counts", actors=list(actors))
    return {actors[row.actor_id]: row for row in rows}


def _account(row: _AccountRow, verifiers: Mapping[int, str]) -> Account:
    profile, cid = (None, None) if row.profile is None else read_record(row.profile)
    return Account(
        did=row.did,
        handle=row.handle,
        status=row.status,
        created_at=row.created_at,
        sort_at=row.sort_at,
        profile=profile,
        profile_cid=cid,
        is_labeler=row.is_labeler,
        live_status=_live_status(row),
        chat=_read_if_there(row.chat_declaration),
        notifications=_read_if_there(row.notification_declaration),
        germ=_read_if_there(row.germ_declaration),
        is_trusted_verifier=row.actor_id in verifiers,
        verifications=tuple(_verifications(row, verifiers)),
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


def _read_if_there(raw: bytes | None) -> JsonRecord | None:
    return None if raw is None else read_record(raw)[0]


def _live_status(row: _AccountRow) -> StoredRecord | None:
    if row.live_status is None or row.live_status_at is None:
        return None
    uri = uri_of(row.did, STATUS, SELF_RKEY)
    record, cid = read_record(row.live_status)
    return StoredRecord(uri, cid, row.did, record, least_time(record, row.live_status_at))
