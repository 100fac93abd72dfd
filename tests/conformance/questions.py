"""What is asked of both services: every method with hundreds of sets of parameters, made from what the hosts hold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.conformance.world import World

Parameters = tuple[tuple[str, str], ...]

FILTERS: Final = (
    "posts_with_replies",
    "posts_no_replies",
    "posts_with_media",
    "posts_and_author_threads",
    "posts_with_video",
)
NOBODY: Final = "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz"
NO_KEY: Final = "3jzfcijpj2z2a"
#: Of every format, what breaks it.
BAD_ACTORS: Final = ("", "nobody", "did:plc", "@alice.test", "nobody.alpha.test", NOBODY)
BAD_URIS: Final = ("", "at://", "https://example.com", "at://nobody", f"at://{NOBODY}/app.bsky.feed.post/{NO_KEY}")
BAD_PAGES: Final = (("limit", "0"), ("limit", "101"), ("limit", "many"), ("limit", "-1"))


@dataclass(frozen=True, slots=True)
class Question:
    """One call, or one walk.

    Attributes:
        method: NSID, or the path of a plain route.
        parameters: of the query, names repeated for lists.
        walks: the field whose items are collected over all pages; None for one call.
        verb: GET, or OPTIONS: what a browser asks before a call.
    """

    method: str
    parameters: Parameters = ()
    walks: str | None = None
    verb: str = "GET"


def all_questions(world: World) -> Iterator[Question]:
    """Every question, method by method."""
    yield from _actors(world)
    yield from _author_feeds(world)
    yield from _posts(world)
    yield from _threads(world)
    yield from _engagement(world)
    yield from _generators(world)
    yield from _post_search(world)
    yield from _graph(world)
    yield from _lists(world)
    yield from _starter_packs(world)
    yield from _labelers(world)
    yield from _unspecced()
    yield from _records(world)
    yield from _plain()


def _parts(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _bad_pages(method: str, *given: tuple[str, str]) -> Iterator[Question]:
    for page in BAD_PAGES:
        yield Question(method, (*given, page))


def _walks(method: str, items: str, given: Parameters, limits: Iterable[int]) -> Iterator[Question]:
    for limit in limits:
        yield Question(method, (*given, ("limit", str(limit))), items)


def _actors(world: World) -> Iterator[Question]:
    for actor in (*world.dids, *world.handles, *(handle.upper() for handle in world.handles[:5]), *BAD_ACTORS):
        yield Question("app.bsky.actor.getProfile", (("actor", actor),))
    yield Question("app.bsky.actor.getProfile")
    method = "app.bsky.actor.getProfiles"
    for some in _parts([*world.dids, *world.handles, *BAD_ACTORS[-2:]], 25):
        yield Question(method, tuple(("actors", actor) for actor in some))
    yield Question(method, tuple(("actors", did) for did in world.dids[:26]))
    yield Question(method, (("actors", world.dids[0]), ("actors", world.dids[0])))
    yield Question(method)
    for bad in BAD_ACTORS[:4]:
        yield Question(method, (("actors", bad), ("actors", world.dids[0])))
    words = ("alice", "ALICE", "crowd", "crowd1", "number", "bob", "a", "de", "x y", "ali test", "@bob", "no such", "ü")
    for word in words:
        yield from _walks("app.bsky.actor.searchActors", "actors", (("q", word),), (10, 100))
        yield Question("app.bsky.actor.searchActors", (("term", word),))
        for limit in ("1", "10", "100"):
            yield Question("app.bsky.actor.searchActorsTypeahead", (("q", word), ("limit", limit)))
        yield Question("app.bsky.actor.searchActorsTypeahead", (("term", word),))
    for method in ("app.bsky.actor.searchActors", "app.bsky.actor.searchActorsTypeahead"):
        yield Question(method)
        yield Question(method, (("q", ""),))
        yield from _bad_pages(method, ("q", "alice"))
    yield from _walks("app.bsky.actor.getSuggestions", "actors", (), (10, 50))
    yield from _bad_pages("app.bsky.actor.getSuggestions")


def _author_feeds(world: World) -> Iterator[Question]:
    method = "app.bsky.feed.getAuthorFeed"
    for did in world.authors_of("app.bsky.feed.post"):
        for name in FILTERS:
            yield from _walks(method, "feed", (("actor", did), ("filter", name)), (100,))
        yield from _walks(method, "feed", (("actor", did),), (3,))
        yield from _walks(method, "feed", (("actor", did), ("includePins", "true")), (7,))
    for actor in (*world.dids, *world.handles, *BAD_ACTORS):
        yield Question(method, (("actor", actor), ("limit", "2")), "feed")
    yield Question(method)
    yield Question(method, (("actor", world.dids[0]), ("filter", "no_such_filter")))
    yield from _bad_pages(method, ("actor", world.dids[0]))
    yield from _walks("app.bsky.feed.getActorLikes", "feed", (("actor", world.dids[0]),), (10,))
    for actor in (*world.dids[:5], *BAD_ACTORS):
        yield Question("app.bsky.feed.getActorLikes", (("actor", actor),))


def _posts(world: World) -> Iterator[Question]:
    method = "app.bsky.feed.getPosts"
    everything = [*world.uris["app.bsky.feed.post"], *_gone_posts(world), BAD_URIS[-1]]
    for some in _parts(everything, 25):
        yield Question(method, tuple(("uris", uri) for uri in some))
    first = everything[0]
    for other in (*BAD_URIS[:4], first, world.uris["app.bsky.feed.like"][0], world.uris["app.bsky.graph.list"][0]):
        yield Question(method, (("uris", first), ("uris", other)))
    yield Question(method, tuple(("uris", uri) for uri in everything[:26]))
    yield Question(method)


def _gone_posts(world: World) -> list[str]:
    """Posts that others answer or quote, and that no host has any more."""
    named: list[str] = []
    for uri in world.uris["app.bsky.feed.post"]:
        reply = world.values[uri].get("reply")
        if isinstance(reply, dict):
            named += [reply[end]["uri"] for end in ("root", "parent")]
    return [uri for uri in dict.fromkeys(named) if uri not in world.values]


def _threads(world: World) -> Iterator[Question]:
    first, second, other = (
        "app.bsky.feed.getPostThread",
        "app.bsky.unspecced.getPostThreadV2",
        "app.bsky.unspecced.getPostThreadOtherV2",
    )
    posts = world.uris["app.bsky.feed.post"]
    parents = {reply["parent"]["uri"] for uri in posts if (reply := world.values[uri].get("reply"))}
    for uri in (*posts, *_gone_posts(world), *BAD_URIS):
        is_plain = uri not in parents and "reply" not in world.values.get(uri, {})
        for shape in ((), (("depth", "1"), ("parentHeight", "1")), (("depth", "0"), ("parentHeight", "0"))):
            if not (is_plain and shape):
                yield Question(first, (("uri", uri), *shape))
        yield Question(second, (("anchor", uri),))
        if is_plain:
            continue
        yield Question(other, (("anchor", uri),))
        for sort in ("newest", "oldest", "top"):
            yield Question(second, (("anchor", uri), ("sort", sort), ("below", "10"), ("branchingFactor", "3")))
        yield Question(second, (("anchor", uri), ("above", "false"), ("below", "20"), ("branchingFactor", "100")))
        yield Question(second, (("anchor", uri), ("below", "0")))
    for pair in (("depth", "1001"), ("depth", "-1"), ("parentHeight", "1001"), ("depth", "deep")):
        yield Question(first, (("uri", posts[0]), pair))
    for pair in (("below", "21"), ("branchingFactor", "101"), ("above", "perhaps"), ("sort", "odd"), ("below", "-1")):
        yield Question(second, (("anchor", posts[0]), pair))
    for method in (first, second, other):
        yield Question(method)


def _engagement(world: World) -> Iterator[Question]:
    lists = (
        ("app.bsky.feed.getLikes", "likes"),
        ("app.bsky.feed.getRepostedBy", "repostedBy"),
        ("app.bsky.feed.getQuotes", "posts"),
    )
    subjects = [*world.uris["app.bsky.feed.post"], *world.uris["app.bsky.feed.generator"], *_gone_posts(world)]
    for method, items in lists:
        for uri in subjects:
            yield from _walks(method, items, (("uri", uri),), (50,))
        for uri in subjects[::10]:
            yield from _walks(method, items, (("uri", uri),), (1,))
        for uri in BAD_URIS:
            yield Question(method, (("uri", uri),))
        yield from _bad_pages(method, ("uri", subjects[0]))
        yield Question(method, (("uri", subjects[0]), ("cid", "no-cid")))
        yield Question(method)


def _generators(world: World) -> Iterator[Question]:
    feeds = world.uris["app.bsky.feed.generator"]
    gone = f"at://{world.dids[0]}/app.bsky.feed.generator/gone"
    for uri in (*feeds, gone, *BAD_URIS, world.uris["app.bsky.feed.post"][0]):
        yield Question("app.bsky.feed.getFeedGenerator", (("feed", uri),))
        yield Question("app.bsky.feed.getFeed", (("feed", uri),))
        yield Question("app.bsky.feed.getFeed", (("feed", uri), ("limit", "2")), "feed")
    yield Question("app.bsky.feed.getFeedGenerator")
    yield Question("app.bsky.feed.getFeed")
    yield from _bad_pages("app.bsky.feed.getFeed", ("feed", feeds[0]))
    yield Question("app.bsky.feed.getFeedGenerators", tuple(("feeds", uri) for uri in (*feeds, gone)))
    yield Question("app.bsky.feed.getFeedGenerators", (("feeds", "not a uri"),))
    yield Question("app.bsky.feed.getFeedGenerators")
    for actor in (*world.dids, *BAD_ACTORS):
        yield Question("app.bsky.feed.getActorFeeds", (("actor", actor),))
    for did in world.authors_of("app.bsky.feed.generator"):
        yield from _walks("app.bsky.feed.getActorFeeds", "feeds", (("actor", did),), (1, 2, 100))
    yield from _bad_pages("app.bsky.feed.getActorFeeds", ("actor", world.dids[0]))
    yield Question("app.bsky.feed.getActorFeeds")


def _post_search(world: World) -> Iterator[Question]:
    method = "app.bsky.feed.searchPosts"
    words = ("hello", "Hello", "crowd says", '"says hello"', "level 3", "#live", "no such word", "answer", "こんにちは")
    for word in words:
        yield from _walks(method, "posts", (("q", word),), (10, 100))
        yield Question(method, (("q", word), ("sort", "top")))
    author = world.authors_of("app.bsky.feed.post")[0]
    for more in (
        ("author", author),
        ("mentions", author),
        ("lang", "en"),
        ("domain", "example.com"),
        ("tag", "live"),
        ("since", "2026-01-01T00:00:00Z"),
        ("until", "2026-01-01T00:00:00Z"),
        ("url", "https://example.com/article"),
    ):
        yield Question(method, (("q", "hello"), more))
    yield Question(method)
    yield Question(method, (("q", ""),))
    yield from _bad_pages(method, ("q", "hello"))


def _graph(world: World) -> Iterator[Question]:
    for method, items in (("app.bsky.graph.getFollowers", "followers"), ("app.bsky.graph.getFollows", "follows")):
        for did in world.dids:
            yield from _walks(method, items, (("actor", did),), (50,))
        for did in world.dids[::7]:
            yield from _walks(method, items, (("actor", did),), (1, 3))
        for actor in (*world.handles[:5], *BAD_ACTORS):
            yield Question(method, (("actor", actor),), items)
        yield from _bad_pages(method, ("actor", world.dids[0]))
        yield Question(method)
    method = "app.bsky.graph.getRelationships"
    others = [*world.dids, NOBODY]
    for did in (*world.dids[::5], *world.authors_of("app.bsky.graph.block")):
        for some in _parts(others, 30):
            yield Question(method, (("actor", did), *(("others", other) for other in some)))
    yield Question(method, (("actor", world.dids[0]), ("others", world.handles[1])))
    yield Question(method, (("actor", world.dids[0]),))
    yield Question(method, (("actor", world.dids[0]), *(("others", did) for did in world.dids[:31])))
    for actor in BAD_ACTORS:
        yield Question(method, (("actor", actor), ("others", world.dids[0])))
        yield Question(method, (("actor", world.dids[0]), ("others", actor)))
    yield Question(method)


def _lists(world: World) -> Iterator[Question]:
    lists = world.uris["app.bsky.graph.list"]
    gone = f"at://{world.dids[0]}/app.bsky.graph.list/{NO_KEY}"
    for uri in (*lists, gone, *BAD_URIS, world.uris["app.bsky.feed.post"][0]):
        for limit in (2, 5, 100):
            yield Question("app.bsky.graph.getList", (("list", uri), ("limit", str(limit))), "items")
        for limit in (4, 100):
            yield Question("app.bsky.feed.getListFeed", (("list", uri), ("limit", str(limit))), "feed")
    for actor in (*world.dids, *BAD_ACTORS):
        yield Question("app.bsky.graph.getLists", (("actor", actor), ("limit", "50")), "lists")
    for did in world.authors_of("app.bsky.graph.list"):
        yield Question("app.bsky.graph.getLists", (("actor", did), ("limit", "1")), "lists")
        for purpose in ("modlist", "curatelist", "referencelist", "odd"):
            yield Question("app.bsky.graph.getLists", (("actor", did), ("purposes", purpose)), "lists")
    for method, given in (
        ("app.bsky.graph.getList", ("list", lists[0])),
        ("app.bsky.feed.getListFeed", ("list", lists[0])),
        ("app.bsky.graph.getLists", ("actor", world.dids[0])),
    ):
        yield from _bad_pages(method, given)
        yield Question(method)


def _starter_packs(world: World) -> Iterator[Question]:
    packs = world.uris["app.bsky.graph.starterpack"]
    gone = f"at://{world.dids[0]}/app.bsky.graph.starterpack/{NO_KEY}"
    for uri in (*packs, gone, *BAD_URIS, world.uris["app.bsky.feed.post"][0]):
        yield Question("app.bsky.graph.getStarterPack", (("starterPack", uri),))
    yield Question("app.bsky.graph.getStarterPack")
    yield Question("app.bsky.graph.getStarterPacks", tuple(("uris", uri) for uri in (*packs[:20], gone)))
    yield Question("app.bsky.graph.getStarterPacks", (("uris", "not a uri"),))
    yield Question("app.bsky.graph.getStarterPacks")
    for actor in (*world.dids, *BAD_ACTORS):
        yield Question("app.bsky.graph.getActorStarterPacks", (("actor", actor),))
    for did in world.authors_of("app.bsky.graph.starterpack"):
        yield from _walks("app.bsky.graph.getActorStarterPacks", "starterPacks", (("actor", did),), (1, 2, 100))
    yield from _bad_pages("app.bsky.graph.getActorStarterPacks", ("actor", world.dids[0]))
    yield Question("app.bsky.graph.getActorStarterPacks")
    for word in ("begin", "crowd", "start", "no such"):
        yield from _walks("app.bsky.graph.searchStarterPacks", "starterPacks", (("q", word),), (1, 25))
    yield Question("app.bsky.graph.searchStarterPacks")
    yield from _bad_pages("app.bsky.graph.searchStarterPacks", ("q", "begin"))


def _labelers(world: World) -> Iterator[Question]:
    method = "app.bsky.labeler.getServices"
    labelers = world.authors_of("app.bsky.labeler.service")
    for detailed in ((), (("detailed", "true"),), (("detailed", "false"),)):
        yield Question(method, (*(("dids", did) for did in (*labelers, *world.dids[:4], NOBODY)), *detailed))
        for did in labelers:
            yield Question(method, (("dids", did), *detailed))
    yield Question(method, (("dids", "nobody"),))
    yield Question(method, (("dids", labelers[0]), ("detailed", "perhaps")))
    yield Question(method)
    yield from _labels(world, labelers)


def _labels(world: World, labelers: list[str]) -> Iterator[Question]:
    """Of labelers that have said nothing."""
    method = "com.atproto.label.queryLabels"
    sources = tuple(("sources", did) for did in labelers)
    for pattern in ("*", "at://*", world.dids[0], "a*b", world.uris["app.bsky.feed.post"][0], "no uri", ""):
        yield Question(method, (("uriPatterns", pattern),))
        yield Question(method, (("uriPatterns", pattern), *sources))
        yield Question(method, (("uriPatterns", world.dids[0]), ("uriPatterns", pattern), *sources))
    yield Question(method, (("uriPatterns", world.dids[0]), ("sources", "nobody")))
    for limit in ("0", "1", "250", "251"):
        yield Question(method, (("uriPatterns", world.dids[0]), *sources, ("limit", limit)))
    yield Question(method, sources)
    yield Question(method)


def _unspecced() -> Iterator[Question]:
    yield Question("app.bsky.unspecced.getConfig")
    yield Question("app.bsky.unspecced.getTaggedSuggestions")
    yield Question("app.bsky.ageassurance.getConfig")
    for method in ("app.bsky.unspecced.getTrendingTopics", "app.bsky.unspecced.getTrends"):
        yield Question(method)
        yield from _bad_pages(method)
    method = "app.bsky.unspecced.getPopularFeedGenerators"
    yield from _walks(method, "feeds", (), (2, 100))
    for word in ("feed", "good", "no such"):
        yield Question(method, (("query", word),))
    yield from _bad_pages(method)


def _records(world: World) -> Iterator[Question]:
    for handle in (*world.handles, *BAD_ACTORS[:5], world.dids[0]):
        yield Question("com.atproto.identity.resolveHandle", (("handle", handle),))
    yield Question("com.atproto.identity.resolveHandle")
    method = "com.atproto.repo.getRecord"
    for collection, uris in world.uris.items():
        for uri in uris[:12]:
            _, _, did, _, rkey = uri.split("/")
            yield Question(method, (("repo", did), ("collection", collection), ("rkey", rkey)))
    _, _, did, collection, rkey = world.uris["app.bsky.feed.post"][0].split("/")
    given = {"repo": did, "collection": collection, "rkey": rkey}
    for name, values in {
        "repo": (*BAD_ACTORS, world.handles[0]),
        "collection": ("", "post", "app.bsky.feed.nothing"),
        "rkey": ("", "..", NO_KEY, "a b"),
        "cid": ("no-cid", "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    }.items():
        for value in values:
            yield Question(method, tuple({**given, name: value}.items()))
        if name in given:
            yield Question(method, tuple(pair for pair in given.items() if pair[0] != name))


def _plain() -> Iterator[Question]:
    yield Question("app.bsky.feed.noSuchMethod")
    yield Question("com.example.noSuchMethod")
    yield Question("_health")
    for method in ("app.bsky.actor.getProfile", "app.bsky.feed.getTimeline", "app.bsky.feed.noSuchMethod"):
        yield Question(method, verb="OPTIONS")
