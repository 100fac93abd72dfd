"""The documentation says of every parameter what its lexicon says."""

from typing import Any, Final

import pytest

from zeppelin_api.app import create_app
from zeppelin_api.settings import ApiSettings

LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}
LIMIT_25: Final = LIMIT | {"default": 25}
CURSOR: Final = {"type": "string"}
TEXT: Final = {"type": "string"}
ACTOR: Final = {"type": "string", "format": "at-identifier", "required": True}
URI: Final = {"type": "string", "format": "at-uri", "required": True}
CID: Final = {"type": "string", "format": "cid"}
SORT: Final = {"type": "string", "knownValues": ["latest", "top"]}
#: Written down from the published lexicons.
PARAMETERS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "app.bsky.actor.getProfile": {"actor": ACTOR},
    "app.bsky.actor.getProfiles": {
        "actors": {"type": "array", "maxItems": 25, "items": "at-identifier", "required": True},
    },
    "app.bsky.feed.getAuthorFeed": {
        "actor": ACTOR,
        "limit": LIMIT,
        "cursor": CURSOR,
        "filter": {
            "type": "string",
            "default": "posts_with_replies",
            "knownValues": [
                "posts_with_replies",
                "posts_no_replies",
                "posts_with_media",
                "posts_and_author_threads",
                "posts_with_video",
            ],
        },
        "includePins": {"type": "boolean", "default": False},
    },
    "app.bsky.feed.getPosts": {"uris": {"type": "array", "maxItems": 25, "items": "at-uri", "required": True}},
    "app.bsky.feed.getPostThread": {
        "uri": URI,
        "depth": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 6},
        "parentHeight": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 80},
    },
    "app.bsky.feed.getQuotes": {"uri": URI, "cid": CID, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getListFeed": {"list": URI, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getActorLikes": {"actor": ACTOR, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getSuggestedFeeds": {"limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getActorFeeds": {"actor": ACTOR, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getFeed": {"feed": URI, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getFeedGenerator": {"feed": URI},
    "app.bsky.feed.getFeedGenerators": {"feeds": {"type": "array", "items": "at-uri", "required": True}},
    "app.bsky.feed.getLikes": {"uri": URI, "cid": CID, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.getRepostedBy": {"uri": URI, "cid": CID, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.graph.getFollowers": {"actor": ACTOR, "limit": LIMIT, "cursor": CURSOR, "sort": SORT},
    "app.bsky.graph.getFollows": {"actor": ACTOR, "limit": LIMIT, "cursor": CURSOR, "sort": SORT},
    "app.bsky.graph.getRelationships": {
        "actor": ACTOR,
        "others": {"type": "array", "maxItems": 30, "items": "at-identifier"},
    },
    "app.bsky.graph.getList": {"list": URI, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.graph.getLists": {
        "actor": ACTOR,
        "limit": LIMIT,
        "cursor": CURSOR,
        "purposes": {"type": "array", "items": "string"},
    },
    "app.bsky.graph.getStarterPack": {"starterPack": URI},
    "app.bsky.graph.getStarterPacks": {"uris": {"type": "array", "maxItems": 25, "items": "at-uri", "required": True}},
    "app.bsky.graph.getActorStarterPacks": {"actor": ACTOR, "limit": LIMIT, "cursor": CURSOR},
    "app.bsky.graph.searchStarterPacks": {"q": TEXT | {"required": True}, "limit": LIMIT_25, "cursor": CURSOR},
    "app.bsky.labeler.getServices": {
        "dids": {"type": "array", "items": "did", "required": True},
        "detailed": {"type": "boolean", "default": False},
    },
    "app.bsky.actor.searchActors": {"q": TEXT, "term": TEXT, "limit": LIMIT_25, "cursor": CURSOR},
    "app.bsky.actor.searchActorsTypeahead": {"q": TEXT, "term": TEXT, "limit": LIMIT | {"default": 10}},
    "app.bsky.actor.getSuggestions": {"limit": LIMIT, "cursor": CURSOR},
    "app.bsky.feed.searchPosts": {
        "q": TEXT | {"required": True},
        "sort": {"type": "string", "default": "latest", "knownValues": ["top", "latest"]},
        "since": TEXT,
        "until": TEXT,
        "mentions": {"type": "string", "format": "at-identifier"},
        "author": {"type": "string", "format": "at-identifier"},
        "lang": {"type": "string", "format": "language"},
        "domain": TEXT,
        "url": {"type": "string", "format": "uri"},
        "tag": {"type": "array", "items": "string"},
        "limit": LIMIT_25,
        "cursor": CURSOR,
    },
    "app.bsky.unspecced.getPopularFeedGenerators": {"limit": LIMIT, "cursor": CURSOR, "query": TEXT},
    "app.bsky.unspecced.getConfig": {},
    "app.bsky.unspecced.getTaggedSuggestions": {},
    "app.bsky.ageassurance.getConfig": {},
    "com.atproto.label.queryLabels": {
        "uriPatterns": {"type": "array", "maxItems": 25, "items": "string", "required": True},
        "sources": {"type": "array", "maxItems": 25, "items": "did"},
        "limit": LIMIT | {"maximum": 250},
        "cursor": CURSOR,
    },
    "app.bsky.unspecced.getPostThreadV2": {
        "anchor": URI,
        "above": {"type": "boolean", "default": True},
        "below": {"type": "integer", "minimum": 0, "maximum": 20, "default": 6},
        "branchingFactor": {"type": "integer", "minimum": 0, "maximum": 100, "default": 10},
        "sort": {"type": "string", "default": "oldest", "knownValues": ["newest", "oldest", "top"]},
    },
    "app.bsky.unspecced.getPostThreadOtherV2": {"anchor": URI},
    "com.atproto.identity.resolveHandle": {"handle": {"type": "string", "format": "handle", "required": True}},
    "com.atproto.identity.resolveDid": {"did": {"type": "string", "format": "did", "required": True}},
    "com.atproto.identity.resolveIdentity": {
        "identifier": {"type": "string", "format": "at-identifier", "required": True}
    },
    "com.atproto.repo.getRecord": {
        "repo": ACTOR,
        "collection": {"type": "string", "format": "nsid", "required": True},
        "rkey": {"type": "string", "format": "record-key", "required": True},
        "cid": CID,
    },
}
KEYWORDS: Final = ("type", "format", "minimum", "maximum", "default", "maxItems", "knownValues")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(ApiSettings(postgres_url="postgresql://127.0.0.1:1/nothing")).framework.openapi()


def _described(parameter: dict[str, Any]) -> dict[str, Any]:
    """What the documentation says of a parameter, in the words of the table above."""
    schema: dict[str, Any] = parameter["schema"]
    schema = schema | schema.get("anyOf", [{}])[0]
    described = {key: schema[key] for key in KEYWORDS if key in schema}
    if "items" in schema:
        described["items"] = schema["items"].get("format", "string")
    return described | ({"required": True} if parameter.get("required") else {})


@pytest.mark.parametrize("nsid", PARAMETERS)
def test_a_method_has_the_parameters_of_its_lexicon(document: dict[str, Any], nsid: str):
    parameters = document["paths"][f"/xrpc/{nsid}"]["get"].get("parameters", [])

    assert {parameter["name"]: _described(parameter) for parameter in parameters} == PARAMETERS[nsid]


def test_every_method_is_in_the_table(document: dict[str, Any]):
    methods = {path.removeprefix("/xrpc/") for path in document["paths"] if path.startswith("/xrpc/")}

    assert methods - {"_health"} == set(PARAMETERS)


@pytest.mark.parametrize(
    ("nsid", "names"),
    [
        ("app.bsky.actor.getProfile", ["AccountTakedown", "AccountDeactivated"]),
        ("app.bsky.feed.getAuthorFeed", ["BlockedActor", "BlockedByActor"]),
        ("app.bsky.feed.getPostThread", ["NotFound"]),
        ("app.bsky.feed.getListFeed", ["UnknownList"]),
        ("app.bsky.feed.getFeed", ["UnknownFeed"]),
        ("com.atproto.identity.resolveHandle", ["HandleNotFound"]),
        ("com.atproto.identity.resolveDid", ["DidNotFound", "DidDeactivated"]),
        ("com.atproto.identity.resolveIdentity", ["HandleNotFound", "DidNotFound", "DidDeactivated"]),
        ("com.atproto.repo.getRecord", ["RecordNotFound"]),
    ],
)
def test_a_methods_own_errors_are_documented(document: dict[str, Any], nsid: str, names: list[str]):
    answer = document["paths"][f"/xrpc/{nsid}"]["get"]["responses"]["400"]

    assert all(f"`{name}`" in answer["description"] for name in names)
    assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
