"""`app.bsky.actor.*`."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.errors import ApiError, invalid_request
from zeppelin_api.hydration.accounts import load_accounts, load_profile_counts, resolve_actor, resolve_identifiers
from zeppelin_api.hydration.curation import hydrate_records
from zeppelin_api.hydration.keys import STARTER_PACK
from zeppelin_api.hydration.labels import hydrate_labels
from zeppelin_api.hydration.state import Account, Hydration
from zeppelin_api.lexicon.profiles import GetProfilesOutput, ProfileViewDetailed
from zeppelin_api.parameters import MAX_IDENTIFIERS, AtIdentifier
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import Service, ServiceDep, SessionDep
from zeppelin_api.views.context import View
from zeppelin_api.views.curation import starter_pack_basic
from zeppelin_api.views.profiles import profile_detailed, starter_pack_uri

router: Final = XrpcRouter("app.bsky.actor")

_SUSPENDED: Final = frozenset({"takendown", "suspended"})


@router.query("getProfile", ProfileViewDetailed, "AccountTakedown", "AccountDeactivated")
async def get_profile(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query(description="Handle or DID of account to fetch profile of.")],
) -> Response:
    """Get detailed profile view of an actor."""
    state = Hydration()
    did = await resolve_actor(session, actor, state)
    await load_accounts(session, state, [did])
    account = state.accounts.get(did)
    if account is None:
        raise invalid_request("Profile not found")
    await hydrate_labels(session, state)
    _refuse_hidden(account, is_taken_down=did in state.taken_down)
    return json_response((await _detailed(service, session, state, [did]))[0])


@router.query("getProfiles", GetProfilesOutput)
async def get_profiles(
    service: ServiceDep,
    session: SessionDep,
    actors: Annotated[list[AtIdentifier], Query(max_length=MAX_IDENTIFIERS)],
) -> Response:
    """Get detailed profile views of multiple actors; those that are not found are left out."""
    state = Hydration()
    resolved = await resolve_identifiers(session, actors, state)
    dids = [resolved[actor] for actor in actors if actor in resolved]
    await load_accounts(session, state, dids)
    return json_response({"profiles": await _detailed(service, session, state, dids)})


def _refuse_hidden(account: Account, *, is_taken_down: bool) -> None:
    """Say why an account is not shown.

    Raises:
        ApiError: it is taken down, deactivated, or gone.
    """
    if account.status in _SUSPENDED or is_taken_down:
        raise ApiError("AccountTakedown", "Account has been suspended")
    if account.status == "deactivated":
        raise ApiError("AccountDeactivated", "Account is deactivated")
    if not account.is_active:
        raise invalid_request("Profile not found")


async def _detailed(service: Service, session: Session, state: Hydration, dids: list[str]) -> list[View]:
    """The views of those accounts that are shown, in their order."""
    shown = [account for did in dids if (account := state.active_account(did)) is not None]
    counts = await load_profile_counts(session, [account.did for account in shown])
    packs = {account.did: uri for account in shown if (uri := starter_pack_uri(account)) is not None}
    await hydrate_records(session, state, STARTER_PACK, packs.values())
    context = await service.view_context(session, state)
    views = [
        profile_detailed(
            context, account.did, counts[account.did], starter_pack_basic(context, packs.get(account.did, ""))
        )
        for account in shown
    ]
    return [view for view in views if view is not None]
