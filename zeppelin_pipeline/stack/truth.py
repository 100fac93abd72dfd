"""What the hosts themselves hold: every repository is downloaded once more and counted here, past the whole pipeline.

For the demo's check of its own answers; everything is held in memory, so networks of a few thousand accounts at most.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx2

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.repository import Repository, open_repository

POST: Final = "app.bsky.feed.post"
PAGE: Final = 500
TIMEOUT_SECONDS: Final = 60.0

Record = dict[str, Any]


@dataclass(slots=True)
class Truth:
    """The network's own content; subjects of likes and reposts are (actor, URI), so that each actor counts once.

    Attributes:
        active: DIDs with a repository that is served.
        inactive: DIDs that are listed and not served.
        entries: record entries of all repositories.
        profiles: by DID.
        posts: by URI.
        follows: for each DID whom it follows.
        followers: for each DID who follows it.
        likes: for each URI who likes it.
        reposts: for each URI who reposted it.
        answers: (author, root's URI, parent's URI) of each reply.
        gates: the rules of threadgates that have any, by the URI of their post.
        members: of each list, by its URI.
        replies: that their threadgate allows, by the parent's URI.
        quotes: by the quoted post's URI.
        labeler: DID of the network's labeler.
        labels: of it that stand, values by subject.
    """

    active: set[str] = field(default_factory=set[str])
    inactive: set[str] = field(default_factory=set[str])
    entries: int = 0
    profiles: dict[str, Record] = field(default_factory=dict[str, Record])
    posts: dict[str, Record] = field(default_factory=dict[str, Record])
    follows: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    followers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    likes: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    reposts: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    answers: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    gates: dict[str, list[Record]] = field(default_factory=dict[str, list[Record]])
    members: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    replies: Counter[str] = field(default_factory=Counter)
    quotes: Counter[str] = field(default_factory=Counter)
    labeler: str = ""
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def posts_of(self, did: str) -> set[str]:
        """The URIs of an account's posts."""
        return {uri for uri in self.posts if uri.startswith(f"at://{did}/")}


def read_truth(hosts: Sequence[str], labeler: str, labels: Mapping[str, Sequence[str]]) -> Truth:
    """Everything that the hosts at these URLs serve, and what the network's labeler says."""
    truth = Truth(labeler=labeler, labels=labels)
    for host in hosts:
        with httpx2.Client(base_url=host, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            for listed in _list_repos(http):
                did = listed["did"]
                if not listed.get("active", True):
                    truth.inactive.add(did)
                    continue
                answer = http.get("/xrpc/com.atproto.sync.getRepo", params={"did": did}).raise_for_status()
                _count(truth, did, open_repository(answer.content))
    truth.replies.update(parent for author, root, parent in truth.answers if _may_reply(truth, author, root))
    return truth


def _list_repos(http: httpx2.Client) -> Iterator[Record]:
    cursor: str | None = None
    while True:
        parameters = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
        page = cast("Record", http.get("/xrpc/com.atproto.sync.listRepos", params=parameters).raise_for_status().json())
        yield from page["repos"]
        cursor = page.get("cursor")
        if not cursor:
            return


def _count(truth: Truth, did: str, repository: Repository) -> None:
    truth.active.add(did)
    truth.entries += len(repository.entries)
    for entry in repository.entries:
        path = entry[0].decode()
        record, _ = dag_cbor.decode_lenient(repository.record_bytes(entry))
        if isinstance(record, dict):
            _count_record(truth, did, path, cast("Record", record))


def _count_record(truth: Truth, did: str, path: str, record: Record) -> None:
    uri = f"at://{did}/{path}"
    match path.partition("/")[0]:
        case "app.bsky.feed.like":
            truth.likes[record["subject"]["uri"]].add(did)
        case "app.bsky.feed.repost":
            truth.reposts[record["subject"]["uri"]].add(did)
        case "app.bsky.graph.follow":
            truth.follows[did].add(record["subject"])
            truth.followers[record["subject"]].add(did)
        case "app.bsky.actor.profile":
            truth.profiles[did] = record
        case "app.bsky.feed.post":
            truth.posts[uri] = record
            _count_post(truth, did, record)
        case "app.bsky.feed.threadgate":
            if "allow" in record and record["post"] == uri.replace("feed.threadgate", "feed.post"):
                truth.gates[record["post"]] = record["allow"]
        case "app.bsky.graph.listitem":
            if record["list"].startswith(f"at://{did}/"):
                truth.members[record["list"]].add(record["subject"])
        case _:
            return


def _may_reply(truth: Truth, author: str, root: str) -> bool:
    """Whether the thread's gate lets an account reply: its own author always, and whom any of its rules names."""
    owner = root.removeprefix("at://").partition("/")[0]
    if author == owner or root not in truth.gates:
        return True
    return any(_is_named(truth, rule, author, owner, root) for rule in truth.gates[root])


def _is_named(truth: Truth, rule: Record, author: str, owner: str, root: str) -> bool:
    match rule["$type"].partition("#")[2]:
        case "mentionRule":
            facets = truth.posts.get(root, {}).get("facets", [])
            return any(author == feature.get("did") for facet in facets for feature in facet["features"])
        case "followingRule":
            return author in truth.follows[owner]
        case "followerRule":
            return author in truth.followers[owner]
        case "listRule":
            return author in truth.members[rule["list"]]
        case _:
            return False


def _count_post(truth: Truth, author: str, record: Record) -> None:
    if "reply" in record:
        truth.answers.append((author, record["reply"]["root"]["uri"], record["reply"]["parent"]["uri"]))
    quoted = _embedded_uri(record.get("embed"))
    if quoted and f"/{POST}/" in quoted:
        truth.quotes[quoted] += 1


def _embedded_uri(embed: Record | None) -> str | None:
    """The URI of the record that a post embeds, alone or beside media."""
    match embed:
        case {"$type": "app.bsky.embed.record", "record": {"uri": str(uri)}}:
            return uri
        case {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": str(uri)}}}:
            return uri
        case _:
            return None
