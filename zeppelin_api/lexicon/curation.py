"""Views of what accounts make for others: lists, feed generators, starter packs, labelers."""

import builtins
from typing import Annotated, TypeAlias

from pydantic import Discriminator, Tag

from zeppelin_api.lexicon.accounts import ProfileView, ProfileViewBasic
from zeppelin_api.lexicon.base import Label, LexiconObject, UnionMember, Unknown, type_of


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
    joined_week_count: int | None = None
    joined_all_time_count: int | None = None
    labels: list[Label] | None = None
    indexed_at: str


class ListItemView(LexiconObject):
    """`app.bsky.graph.defs#listItemView`."""

    uri: str
    subject: ProfileView


class StarterPackView(StarterPackViewBasic):
    """`app.bsky.graph.defs#starterPackView`."""

    list: ListViewBasic | None = None
    list_items_sample: "builtins.list[ListItemView] | None" = None
    feeds: "builtins.list[GeneratorView] | None" = None


class LabelerView(UnionMember):
    """`app.bsky.labeler.defs#labelerView`."""

    uri: str
    cid: str
    creator: ProfileView
    like_count: int | None = None
    labels: list[Label] | None = None
    indexed_at: str


class LabelerViewDetailed(LabelerView):
    """`app.bsky.labeler.defs#labelerViewDetailed`."""

    policies: Unknown
    reason_types: list[str] | None = None
    subject_types: list[str] | None = None
    subject_collections: list[str] | None = None


AnyLabelerView: TypeAlias = Annotated[
    Annotated[LabelerView, Tag("app.bsky.labeler.defs#labelerView")]
    | Annotated[LabelerViewDetailed, Tag("app.bsky.labeler.defs#labelerViewDetailed")],
    Discriminator(type_of),
]


class GetServicesOutput(LexiconObject):
    """`app.bsky.labeler.getServices`."""

    views: list[AnyLabelerView]


class GetListOutput(LexiconObject):
    """`app.bsky.graph.getList`."""

    cursor: str | None = None
    list: ListView
    items: "builtins.list[ListItemView]"


class GetListsOutput(LexiconObject):
    """`app.bsky.graph.getLists`."""

    cursor: str | None = None
    lists: list[ListView]


class GetStarterPackOutput(LexiconObject):
    """`app.bsky.graph.getStarterPack`."""

    starter_pack: StarterPackView


class GetStarterPacksOutput(LexiconObject):
    """`app.bsky.graph.getStarterPacks`."""

    starter_packs: list[StarterPackViewBasic]


class PageOfStarterPacks(GetStarterPacksOutput):
    """`app.bsky.graph.getActorStarterPacks` and `app.bsky.graph.searchStarterPacks`."""

    cursor: str | None = None
