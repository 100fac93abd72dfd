"""`app.bsky.actor.defs`: views of an account wherever it is named."""

from zeppelin_api.lexicon.base import Label, LexiconObject, Unknown
from zeppelin_api.lexicon.media import ExternalView


class ProfileAssociatedChat(LexiconObject):
    """`app.bsky.actor.defs#profileAssociatedChat`."""

    allow_incoming: str
    allow_group_invites: str | None = None


class ProfileAssociatedActivitySubscription(LexiconObject):
    """`app.bsky.actor.defs#profileAssociatedActivitySubscription`."""

    allow_subscriptions: str


class ProfileAssociatedGerm(LexiconObject):
    """`app.bsky.actor.defs#profileAssociatedGerm`."""

    show_button_to: str
    message_me_url: str


class ProfileAssociated(LexiconObject):
    """`app.bsky.actor.defs#profileAssociated`; counts in detailed views only."""

    lists: int | None = None
    feedgens: int | None = None
    starter_packs: int | None = None
    labeler: bool | None = None
    chat: ProfileAssociatedChat | None = None
    activity_subscription: ProfileAssociatedActivitySubscription | None = None
    germ: ProfileAssociatedGerm | None = None


class StatusView(LexiconObject):
    """`app.bsky.actor.defs#statusView`."""

    uri: str
    cid: str
    status: str
    record: Unknown
    embed: ExternalView | None = None
    labels: list[Label] | None = None
    expires_at: str | None = None
    is_active: bool | None = None


class VerificationView(LexiconObject):
    """`app.bsky.actor.defs#verificationView`."""

    issuer: str
    issuer_display_name: str | None = None
    issuer_handle: str | None = None
    uri: str
    is_valid: bool
    created_at: str


class VerificationState(LexiconObject):
    """`app.bsky.actor.defs#verificationState`."""

    verifications: list[VerificationView]
    verified_status: str
    trusted_verifier_status: str


class ProfileViewBasic(LexiconObject):
    """`app.bsky.actor.defs#profileViewBasic`."""

    did: str
    handle: str
    display_name: str | None = None
    pronouns: str | None = None
    avatar: str | None = None
    associated: ProfileAssociated | None = None
    labels: list[Label] | None = None
    created_at: str | None = None
    verification: VerificationState | None = None
    status: StatusView | None = None


class ProfileView(ProfileViewBasic):
    """`app.bsky.actor.defs#profileView`."""

    description: str | None = None
    indexed_at: str | None = None


class BlockedAuthor(LexiconObject):
    """`app.bsky.feed.defs#blockedAuthor`."""

    did: str
