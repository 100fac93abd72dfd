"""Outputs of `app.bsky.actor.*`, `app.bsky.graph.*` and the lists of accounts of `app.bsky.feed.*`."""

from typing import Annotated, TypeAlias

from pydantic import Discriminator, Tag

from zeppelin_api.lexicon.accounts import ProfileView, ProfileViewBasic
from zeppelin_api.lexicon.base import LexiconObject, StrongRef, UnionMember, type_of
from zeppelin_api.lexicon.curation import StarterPackViewBasic


class ProfileViewDetailed(ProfileView):
    """`app.bsky.actor.defs#profileViewDetailed`."""

    website: str | None = None
    banner: str | None = None
    followers_count: int | None = None
    follows_count: int | None = None
    posts_count: int | None = None
    joined_via_starter_pack: StarterPackViewBasic | None = None
    pinned_post: StrongRef | None = None


class GetProfilesOutput(LexiconObject):
    """`app.bsky.actor.getProfiles`."""

    profiles: list[ProfileViewDetailed]


class PageOfAccounts(LexiconObject):
    """`app.bsky.actor.searchActors` and `app.bsky.actor.getSuggestions`."""

    cursor: str | None = None
    actors: list[ProfileView]


class SearchActorsTypeaheadOutput(LexiconObject):
    """`app.bsky.actor.searchActorsTypeahead`."""

    actors: list[ProfileViewBasic]


class GetFollowersOutput(LexiconObject):
    """`app.bsky.graph.getFollowers`."""

    subject: ProfileView
    cursor: str | None = None
    followers: list[ProfileView]


class GetFollowsOutput(LexiconObject):
    """`app.bsky.graph.getFollows`."""

    subject: ProfileView
    cursor: str | None = None
    follows: list[ProfileView]


class Like(LexiconObject):
    """`app.bsky.feed.getLikes#like`."""

    indexed_at: str
    created_at: str
    actor: ProfileView


class GetLikesOutput(LexiconObject):
    """`app.bsky.feed.getLikes`."""

    uri: str
    cid: str | None = None
    cursor: str | None = None
    likes: list[Like]


class GetRepostedByOutput(LexiconObject):
    """`app.bsky.feed.getRepostedBy`."""

    uri: str
    cid: str | None = None
    cursor: str | None = None
    reposted_by: list[ProfileView]


class Relationship(UnionMember):
    """`app.bsky.graph.defs#relationship`."""

    did: str
    following: str | None = None
    followed_by: str | None = None
    blocking: str | None = None
    blocked_by: str | None = None
    blocking_by_list: str | None = None
    blocked_by_list: str | None = None


class NotFoundActor(UnionMember):
    """`app.bsky.graph.defs#notFoundActor`."""

    actor: str
    not_found: bool


AnyRelationship: TypeAlias = Annotated[
    Annotated[Relationship, Tag("app.bsky.graph.defs#relationship")]
    | Annotated[NotFoundActor, Tag("app.bsky.graph.defs#notFoundActor")],
    Discriminator(type_of),
]


class GetRelationshipsOutput(LexiconObject):
    """`app.bsky.graph.getRelationships`."""

    actor: str | None = None
    relationships: list[AnyRelationship]
