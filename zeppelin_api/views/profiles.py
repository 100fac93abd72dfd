"""`app.bsky.actor.defs`: views of accounts."""

from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from zeppelin_api.hydration.accounts import ProfileCounts
from zeppelin_api.hydration.keys import PROFILE, SELF_RKEY, uri_of
from zeppelin_api.hydration.state import Account, JsonRecord, StoredRecord, Verification
from zeppelin_api.times import iso
from zeppelin_api.views.context import View, ViewContext, is_of_type, present
from zeppelin_api.views.labels import labels_on, self_labels
from zeppelin_api.views.media import external_view
from zeppelin_api.views.media_urls import MediaUrls

INVALID_HANDLE: Final = "handle.invalid"
#: Views that are kept: of as many accounts as hydration keeps.
_REMEMBERED: Final = 8_192
#: A live status lasts as long as its record says, within these bounds.
_SHORTEST_STATUS: Final = timedelta(minutes=5)
_LONGEST_STATUS: Final = timedelta(hours=4)
_CARD: Final = "app.bsky.embed.external"
_ACTIVITY_SUBSCRIPTION_CHOICES: Final = frozenset({"followers", "mutuals", "none"})


def profile_basic(context: ViewContext, did: str) -> View | None:
    """`#profileViewBasic`; None for an account that is not shown."""
    key = ("basic", did)
    if key not in context.made:
        account = context.state.active_account(did)
        context.made[key] = None if account is None else _basic(context, account)
    return context.made[key]


def profile(context: ViewContext, did: str) -> View | None:
    """`#profileView`; None for an account that is not shown."""
    account = context.state.active_account(did)
    return None if account is None else _profile(context, account)


def profile_detailed(
    context: ViewContext, did: str, counts: ProfileCounts, joined_via_starter_pack: View | None
) -> View | None:
    """`#profileViewDetailed`; None for an account that is not shown."""
    account = context.state.active_account(did)
    if account is None:
        return None
    view = _profile(context, account)
    record = account.profile or {}
    counted = {
        "lists": counts.lists,
        "feedgens": counts.generators,
        "starterPacks": counts.starter_packs,
        "labeler": account.is_labeler,
    }
    return view | present(
        associated=view["associated"] | counted,
        website=_website(record.get("website")),
        banner=context.urls.image("banner", did, record.get("banner")),
        followersCount=counts.followers,
        followsCount=counts.follows,
        postsCount=counts.posts,
        joinedViaStarterPack=joined_via_starter_pack,
        pinnedPost=pinned_post(account),
    )


def pinned_post(account: Account) -> View | None:
    """The strong reference of the post that the profile pins; None when it has none of that form."""
    pinned: Any = (account.profile or {}).get("pinnedPost")
    if isinstance(pinned, dict) and isinstance(pinned.get("uri"), str) and isinstance(pinned.get("cid"), str):
        return pinned
    return None


def starter_pack_uri(account: Account) -> str | None:
    """The starter pack that the account says it joined by."""
    pack: Any = (account.profile or {}).get("joinedViaStarterPack")
    uri = pack.get("uri") if isinstance(pack, dict) else None
    return uri if isinstance(uri, str) else None


def _basic(context: ViewContext, account: Account) -> View:
    plain, further = _plain_basic(context.urls, account), _further(context, account)
    return plain | further if further else plain


def _profile(context: ViewContext, account: Account) -> View:
    plain, further = _plain_profile(context.urls, account), _further(context, account)
    return plain | further if further else plain


def _further(context: ViewContext, account: Account) -> View:
    """What a view does not have of the account alone: labels of others, what depends on others, or on the time."""
    labels: list[View] | None = None
    if context.state.labels:
        uri = uri_of(account.did, PROFILE, SELF_RKEY)
        labels = labels_on(context, account.did) + labels_on(context, uri, account.profile_cid)
    return present(
        labels=labels + _self_labels(account) if labels else None,
        verification=_verification(context, account),
        status=_status(context, account),
    )


@lru_cache(_REMEMBERED)
def _plain_basic(urls: MediaUrls, account: Account) -> View:
    record = account.profile or {}
    return present(
        did=account.did,
        handle=account.handle or INVALID_HANDLE,
        displayName=record.get("displayName"),
        pronouns=record.get("pronouns"),
        avatar=urls.image("avatar", account.did, record.get("avatar")),
        associated=_associated(account),
        labels=_self_labels(account),
        createdAt=None if account.created_at is None else iso(account.created_at),
    )


@lru_cache(_REMEMBERED)
def _plain_profile(urls: MediaUrls, account: Account) -> View:
    record = account.profile or {}
    return _plain_basic(urls, account) | present(
        description=record.get("description") or None,
        indexedAt=None if account.sort_at is None else iso(account.sort_at),
    )


def _self_labels(account: Account) -> list[View]:
    return self_labels(uri_of(account.did, PROFILE, SELF_RKEY), account.profile_cid, account.profile)


def _associated(account: Account) -> View:
    return present(
        labeler=account.is_labeler or None,
        chat=_chat(account),
        activitySubscription={"allowSubscriptions": _activity_subscription(account)},
        germ=_germ(account),
    )


def _chat(account: Account) -> View | None:
    if account.chat is None:
        return None
    return present(allowIncoming=account.chat["allowIncoming"], allowGroupInvites=account.chat.get("allowGroupInvites"))


def _activity_subscription(account: Account) -> str:
    """Followers may subscribe unless the account says otherwise."""
    choice = None if account.notifications is None else account.notifications["allowSubscriptions"]
    return choice if choice in _ACTIVITY_SUBSCRIPTION_CHOICES else "followers"


def _germ(account: Account) -> View | None:
    message_me: JsonRecord | None = None if account.germ is None else account.germ.get("messageMe")
    if message_me is None:
        return None
    return {"showButtonTo": message_me["showButtonTo"], "messageMeUrl": message_me["messageMeUrl"]}


def _verification(context: ViewContext, account: Account) -> View | None:
    """`#verificationState`; None for an account without a handle, and for one that nobody verified."""
    if account.handle is None or not (account.verifications or account.is_trusted_verifier):
        return None
    views = [_verification_view(context, account, verification) for verification in account.verifications]
    if_valid = "invalid" if account.did in context.state.impersonators else "valid"
    verified = "none" if not views else if_valid if any(view["isValid"] for view in views) else "invalid"
    return {
        "verifications": views,
        "verifiedStatus": verified,
        "trustedVerifierStatus": if_valid if account.is_trusted_verifier else "none",
    }


def _verification_view(context: ViewContext, account: Account, verification: Verification) -> View:
    """`#verificationView`: valid for as long as the account's name and handle are those that were verified."""
    issuer = context.state.accounts.get(verification.issuer)
    display_name = (account.profile or {}).get("displayName")
    is_valid = bool(verification.display_name) and verification.display_name == display_name
    return present(
        issuer=verification.issuer,
        issuerDisplayName=None if issuer is None else (issuer.profile or {}).get("displayName"),
        issuerHandle=None if issuer is None else issuer.handle,
        uri=verification.uri,
        isValid=is_valid and verification.handle == account.handle,
        createdAt=iso(verification.sort_at),
    )


def _status(context: ViewContext, account: Account) -> View | None:
    stored = account.live_status
    if stored is None or stored.uri in context.state.taken_down:
        return None
    expires_at = _expires_at(stored)
    embed = stored.record.get("embed")
    return present(
        uri=stored.uri,
        cid=stored.cid,
        record=stored.record,
        status=stored.record["status"],
        embed=external_view(context, account.did, embed) if is_of_type(embed, _CARD) else None,
        labels=labels_on(context, stored.uri, stored.cid),
        expiresAt=None if expires_at is None else iso(expires_at),
        isActive=None if expires_at is None else expires_at > context.now,
    )


def _expires_at(stored: StoredRecord) -> Any:
    minutes: int | None = stored.record.get("durationMinutes")
    if not minutes:
        return None
    longest = _LONGEST_STATUS // timedelta(minutes=1)
    duration = timedelta(minutes=max(0, min(minutes, longest)))
    return stored.sort_at + max(duration, _SHORTEST_STATUS)


def _website(value: Any) -> str | None:
    """The record may hold any URI; clients get none but web addresses."""
    return value if isinstance(value, str) and value.startswith("https://") else None
