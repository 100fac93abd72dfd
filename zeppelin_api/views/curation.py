"""Views of what accounts make for others: lists, feed generators, starter packs, labelers, threadgates.

Of an author's own labels those on a labeler are shown; the official service shows none on lists, generators and
starter packs.
"""

from typing import Any

from zeppelin_api.hydration.curation import Member
from zeppelin_api.hydration.keys import (
    GENERATOR,
    LABELER,
    LIST,
    STARTER_PACK,
    THREADGATE,
    collection_of,
    read_record_uri,
    sibling_uri,
)
from zeppelin_api.hydration.state import StoredRecord
from zeppelin_api.times import iso
from zeppelin_api.views.context import View, ViewContext, is_of_type, present, typed
from zeppelin_api.views.labels import labels_on, record_labels
from zeppelin_api.views.profiles import profile, profile_basic


def curation_view(context: ViewContext, uri: str) -> View | None:
    """The view of such a record as an embed shows it; None when it is not there or its account is not shown."""
    stored = context.state.shown_record(uri)
    if stored is None:
        return None
    match collection_of(uri):
        case name if name == GENERATOR:
            return _typed("app.bsky.feed.defs#generatorView", generator_view(context, stored))
        case name if name == LIST:
            return _typed("app.bsky.graph.defs#listView", list_view(context, stored))
        case name if name == STARTER_PACK:
            return _typed("app.bsky.graph.defs#starterPackViewBasic", starter_pack_basic(context, uri))
        case name if name == LABELER:
            return _typed("app.bsky.labeler.defs#labelerView", labeler_view(context, stored))
        case _:
            return None


def generator_view(context: ViewContext, stored: StoredRecord) -> View | None:
    """`app.bsky.feed.defs#generatorView`."""
    creator = profile(context, stored.did)
    if creator is None:
        return None
    record = stored.record
    return present(
        uri=stored.uri,
        cid=stored.cid,
        did=record["did"],
        creator=creator,
        displayName=record["displayName"],
        description=record.get("description"),
        descriptionFacets=record.get("descriptionFacets"),
        avatar=context.urls.image("avatar", stored.did, record.get("avatar")),
        likeCount=stored.likes,
        acceptsInteractions=record.get("acceptsInteractions"),
        labels=labels_on(context, stored.uri, stored.cid),
        contentMode=record.get("contentMode"),
        indexedAt=iso(stored.sort_at),
    )


def list_basic(context: ViewContext, stored: StoredRecord) -> View:
    """`app.bsky.graph.defs#listViewBasic`."""
    record = stored.record
    return present(
        uri=stored.uri,
        cid=stored.cid,
        name=record["name"],
        purpose=record["purpose"],
        avatar=context.urls.image("avatar", stored.did, record.get("avatar")),
        listItemCount=stored.items,
        labels=labels_on(context, stored.uri, stored.cid),
        indexedAt=iso(stored.sort_at),
    )


def list_view(context: ViewContext, stored: StoredRecord) -> View | None:
    """`app.bsky.graph.defs#listView`."""
    creator = profile(context, stored.did)
    if creator is None:
        return None
    return list_basic(context, stored) | present(
        creator=creator,
        description=stored.record.get("description"),
        descriptionFacets=stored.record.get("descriptionFacets"),
    )


def starter_pack_basic(context: ViewContext, uri: str) -> View | None:
    """`app.bsky.graph.defs#starterPackViewBasic`."""
    stored = context.state.shown_record(uri)
    creator = None if stored is None else profile_basic(context, stored.did)
    if stored is None or creator is None:
        return None
    return present(
        uri=stored.uri,
        cid=stored.cid,
        record=stored.record,
        creator=creator,
        joinedWeekCount=stored.joined_lately,
        joinedAllTimeCount=stored.items,
        labels=labels_on(context, stored.uri, stored.cid),
        indexedAt=iso(stored.sort_at),
    )


def member_view(context: ViewContext, member: Member) -> View | None:
    """`app.bsky.graph.defs#listItemView`; None when the account is not shown."""
    subject = profile(context, member.did)
    return None if subject is None else {"uri": member.uri, "subject": subject}


def starter_pack_view(context: ViewContext, uri: str, sample: list[Member]) -> View | None:
    """`app.bsky.graph.defs#starterPackView`, with those of its list that are its sample."""
    view = starter_pack_basic(context, uri)
    if view is None:
        return None
    record = view["record"]
    pack_list = context.state.shown_record(record["list"])
    feeds = [context.state.shown_record(feed["uri"]) for feed in record.get("feeds", [])]
    feed_views = [generator_view(context, feed) for feed in feeds if feed is not None]
    members = [member_view(context, member) for member in sample]
    return view | present(
        feeds=[feed for feed in feed_views if feed is not None],
        list=None if pack_list is None else list_basic(context, pack_list),
        listItemsSample=[member for member in members if member is not None],
    )


def labeler_detailed(context: ViewContext, stored: StoredRecord) -> View | None:
    """`app.bsky.labeler.defs#labelerViewDetailed`."""
    view = labeler_view(context, stored)
    if view is None:
        return None
    names = ("policies", "reasonTypes", "subjectTypes", "subjectCollections")
    return view | present(**{name: stored.record.get(name) for name in names})


def labeler_view(context: ViewContext, stored: StoredRecord) -> View | None:
    """`app.bsky.labeler.defs#labelerView`."""
    creator = profile(context, stored.did)
    if creator is None:
        return None
    return present(
        uri=stored.uri,
        cid=stored.cid,
        creator=creator,
        likeCount=stored.likes,
        labels=record_labels(context, stored.uri, stored.cid, stored.record),
        indexedAt=iso(stored.sort_at),
    )


def threadgate_of(context: ViewContext, root_uri: str) -> StoredRecord | None:
    """The gate of a thread by its first post; None without a gate."""
    if read_record_uri(root_uri) is None:
        return None
    return context.state.records.get(sibling_uri(root_uri, THREADGATE))


def threadgate_view(context: ViewContext, root_uri: str) -> View | None:
    """`app.bsky.feed.defs#threadgateView` of a thread by its first post; None without a gate."""
    stored = threadgate_of(context, root_uri)
    if stored is None:
        return None
    rules: list[Any] = stored.record.get("allow", [])
    uris = [rule.get("list") for rule in rules if is_of_type(rule, "app.bsky.feed.threadgate#listRule")]
    lists = [found for uri in uris if uri is not None and (found := context.state.shown_record(uri)) is not None]
    return present(
        uri=stored.uri, cid=stored.cid, record=stored.record, lists=[list_basic(context, found) for found in lists]
    )


def _typed(type_name: str, view: View | None) -> View | None:
    return None if view is None else typed(type_name, view)
