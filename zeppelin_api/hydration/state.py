"""What hydration finds for one answer: values of accounts, posts and records, and the state that gathers them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from zeppelin_api.hydration.keys import PostKey

#: Where embeds that hold a record keep its reference.
_RECORD_EMBEDS: Final = {
    "app.bsky.embed.record": ("record",),
    "app.bsky.embed.recordWithMedia": ("record", "record"),
}

#: A record as JSON has it: links are {"$link": …}, bytes {"$bytes": …}.
JsonRecord: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record of any collection.

    Attributes:
        sort_at: least(createdAt, first seen); views call it indexedAt, as the official service does.
        likes: accounts that like it; of generators and labelers.
        items: accounts on it, of lists; accounts that joined by it, of starter packs.
        joined_lately: of these the ones of the last seven days.
    """

    uri: str
    cid: str
    did: str
    record: JsonRecord
    sort_at: datetime
    likes: int = 0
    items: int = 0
    joined_lately: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What a trusted account says of another: that it is who it says it is.

    Attributes:
        handle: of the verified account, as it was then.
        display_name: likewise.
        sort_at: least(createdAt, first seen).
    """

    uri: str
    issuer: str
    handle: str
    display_name: str
    sort_at: datetime


@dataclass(frozen=True, slots=True, eq=False)  # each is its own key: what is remembered of it is found at once
class Account:
    """An account and the records with the key `self` that describe it.

    Attributes:
        handle: as its DID document claims; None without one.
        status: of its hosting; None is active.
        created_at: as its profile claims.
        sort_at: least(createdAt, first seen) of its profile.
        is_trusted_verifier: whether its verifications of others are shown.
        verifications: by trusted verifiers, oldest first.
    """

    did: str
    handle: str | None
    status: str | None
    created_at: datetime | None
    sort_at: datetime | None
    profile: JsonRecord | None
    profile_cid: str | None
    is_labeler: bool
    live_status: StoredRecord | None
    chat: JsonRecord | None
    notifications: JsonRecord | None
    germ: JsonRecord | None
    is_trusted_verifier: bool = False
    verifications: tuple[Verification, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether its host serves it; no other account is shown anywhere."""
        return self.status is None or self.status == "active"


@dataclass(frozen=True, slots=True)
class Post:
    """A post and its counts.

    Attributes:
        breaks_threadgate: whether it answers where its thread's author does not let it; it is shown, but not there.
        breaks_postgate: whether it embeds a post whose author does not let it.
        has_threadgate: whether its thread has a gate.
        has_postgate: whether the post that it embeds has one.
    """

    key: PostKey
    uri: str
    cid: str
    did: str
    record: JsonRecord
    sort_at: datetime
    likes: int
    reposts: int
    replies: int
    quotes: int
    breaks_threadgate: bool = False
    breaks_postgate: bool = False
    has_threadgate: bool = False
    has_postgate: bool = False

    @property
    def parent_uri(self) -> str | None:
        """The post that this one answers."""
        reply = self.record.get("reply")
        return None if reply is None else reply["parent"]["uri"]

    @property
    def root_uri(self) -> str:
        """The post that its thread starts with; itself when it answers none."""
        reply = self.record.get("reply")
        return self.uri if reply is None else reply["root"]["uri"]

    @property
    def embedded(self) -> JsonRecord | None:
        """The strong reference of the record that it embeds, beside media or alone."""
        embed = self.record.get("embed")
        path = _RECORD_EMBEDS.get(embed.get("$type", "")) if embed else None
        if embed is None or path is None:
            return None
        for name in path:
            embed = embed[name]
        return embed

    @property
    def embedded_uri(self) -> str | None:
        """The record that it embeds."""
        embedded = self.embedded
        return None if embedded is None else embedded["uri"]


@dataclass(frozen=True, slots=True)
class Repost:
    """A repost as a feed's reason."""

    uri: str
    cid: str
    did: str
    sort_at: datetime


@dataclass(frozen=True, slots=True)
class Label:
    """A label that stands, verified when it was stored.

    Attributes:
        value: what it says.
        fields: as it was signed, in JSON: ver, src, uri, cid, val, cts, exp, sig.
    """

    value: str
    fields: JsonRecord

    @property
    def src(self) -> str:
        """The DID of its labeler."""
        return self.fields["src"]

    @property
    def cid(self) -> str | None:
        """The one version that it is about; None for all."""
        return self.fields.get("cid")


@dataclass(slots=True)
class Hydration:
    """Everything found for one answer, by DID or URI. What is not here does not exist or is not shown.

    Attributes:
        labels: by the DID of an account or the URI of a record.
        labelled: whose labels were asked for.
        taken_down: accounts and records that labels remove from this answer.
        under_review: accounts and records that labels keep out of threads and lists of quotes.
        impersonators: accounts whose verification does not count, as a label says.
    """

    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    posts: dict[str, Post] = field(default_factory=dict[str, Post])
    records: dict[str, StoredRecord] = field(default_factory=dict[str, StoredRecord])
    reposts: dict[str, Repost] = field(default_factory=dict[str, Repost])
    blocked_pairs: set[frozenset[str]] = field(default_factory=set[frozenset[str]])
    labels: dict[str, list[Label]] = field(default_factory=dict[str, list[Label]])
    labelled: set[str] = field(default_factory=set[str])
    taken_down: set[str] = field(default_factory=set[str])
    under_review: set[str] = field(default_factory=set[str])
    impersonators: set[str] = field(default_factory=set[str])

    def active_account(self, did: str) -> Account | None:
        """An account that may be shown."""
        account = self.accounts.get(did)
        is_shown = account is not None and account.is_active and did not in self.taken_down
        return account if is_shown else None

    def shown_post(self, uri: str) -> Post | None:
        """A post that may be shown, and whose account may."""
        post = None if uri in self.taken_down else self.posts.get(uri)
        return None if post is None or self.active_account(post.did) is None else post

    def is_under_review(self, post: Post) -> bool:
        """Whether a label keeps a post, or all of its account, out of threads and lists of quotes."""
        return not self.under_review.isdisjoint((post.uri, post.did))

    def shown_record(self, uri: str) -> StoredRecord | None:
        """A record that may be shown, if its account may."""
        return None if uri in self.taken_down else self.records.get(uri)

    def dids(self) -> Iterator[str]:
        """The authors of all that was found."""
        for found in (*self.posts.values(), *self.records.values(), *self.reposts.values()):
            yield found.did
