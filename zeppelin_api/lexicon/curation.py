"""Views of what accounts make for others: lists, feed generators, starter packs, labelers."""

from zeppelin_api.lexicon.accounts import ProfileView, ProfileViewBasic
from zeppelin_api.lexicon.base import Label, LexiconObject, UnionMember, Unknown


class ListViewBasic(LexiconObject):
    """`app.bsky.graph.defs#listViewBasic`."""

    uri: str
    cid: str
    name: str
    purpose: str
    avatar: str | None = None
    list_item_count: int | None = None
    labels: list[Label] | None = None
    indexed_at: str | None = None


class ListView(UnionMember):
    """`app.bsky.graph.defs#listView`."""

    uri: str
    cid: str
    creator: ProfileView
    name: str
    purpose: str
    description: str | None = None
    description_facets: list[Unknown] | None = None
    avatar: str | None = None
    list_item_count: int | None = None
    labels: list[Label] | None = None
    indexed_at: str


class GeneratorView(UnionMember):
    """`app.bsky.feed.defs#generatorView`."""

    uri: str
    cid: str
    did: str
    creator: ProfileView
    display_name: str
    description: str | None = None
    description_facets: list[Unknown] | None = None
    avatar: str | None = None
    like_count: int | None = None
    accepts_interactions: bool | None = None
    labels: list[Label] | None = None
    content_mode: str | None = None
    indexed_at: str


class GetFeedGeneratorOutput(LexiconObject):
    """`app.bsky.feed.getFeedGenerator`."""

    view: GeneratorView
    is_online: bool
    is_valid: bool


class GetFeedGeneratorsOutput(LexiconObject):
    """`app.bsky.feed.getFeedGenerators`."""

    feeds: list[GeneratorView]


class PageOfGenerators(GetFeedGeneratorsOutput):
    """`app.bsky.feed.getActorFeeds` and `app.bsky.feed.getSuggestedFeeds`."""

    cursor: str | None = None


class StarterPackViewBasic(UnionMember):
    """`app.bsky.graph.defs#starterPackViewBasic`."""

    uri: str
    cid: str
    record: Unknown
    creator: ProfileViewBasic
    labels: list[Label] | None = None
    indexed_at: str


class LabelerView(UnionMember):
    """`app.bsky.labeler.defs#labelerView`."""

    uri: str
    cid: str
    creator: ProfileView
    like_count: int | None = None
    labels: list[Label] | None = None
    indexed_at: str
