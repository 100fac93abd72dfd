"""The demo's check of itself: the API's answers and the warehouse's totals against what the hosts hold."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

import httpx2
from rich.console import Console

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.stack.running import RunningStack
from zeppelin_pipeline.stack.tally import Status, read_status
from zeppelin_pipeline.stack.truth import Truth

SAMPLE: Final = 25
FEED_ACCOUNTS: Final = 5
PAGE: Final = 100
TIMEOUT_SECONDS: Final = 30.0
#: Labels come of themselves, once it is known who is a labeler; so long they are waited for.
LABELS_SECONDS: Final = 150.0
_LABELS_LOOK_SECONDS: Final = 2.0

Json = dict[str, Any]
Wrong = Iterator[str]
"""Lines that say what is wrong; none when all is right."""


def check_answers(stack: RunningStack, truth: Truth, console: Console) -> list[str]:
    """Check totals, profiles, posts, feeds and labels; print the verdict and return what is wrong."""
    chooser = random.Random(len(truth.posts))  # noqa: S311 - a sample, the same at each run over the same network
    status = read_status(stack.settings.require_postgres_url())
    with httpx2.Client(base_url=stack.api_url, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        api = ApiClient(http)
        accounts = _sample(chooser, truth.active, lambda did: len(truth.followers[did]))
        posts = _sample(chooser, truth.posts, lambda uri: len(truth.likes[uri]))
        wrong = [
            *check_totals(status, truth),
            *(line for did in accounts for line in check_profile(api, truth, did)),
            *(line for uri in posts for line in check_post(api, truth, uri)),
            *(line for did in accounts[:FEED_ACCOUNTS] for line in check_feed(api, truth, did)),
            *check_labels(api, truth, LABELS_SECONDS),
        ]
    for line in wrong:
        console.print(f"WRONG: {line}", style="red", highlight=False, markup=False, soft_wrap=True)
    feeds = min(FEED_ACCOUNTS, len(accounts))
    checked = (
        f"the totals, {len(accounts)} profiles, {len(posts)} posts, {feeds} whole feeds and {len(truth.labels)} labels"
    )
    console.print(f"Checked against the hosts: {checked}: {f'{len(wrong)} wrong' if wrong else 'all right'}.")
    return wrong


class ApiClient:
    """The API as a client sees it."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def get(self, method: str, **parameters: str) -> Json:
        """The answer of a method."""
        return cast("Json", self._http.get(f"/xrpc/{method}", params=parameters).raise_for_status().json())

    def pages(self, method: str, key: str, **parameters: str) -> Iterator[Json]:
        """The items of all pages of a method."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(method, limit=str(PAGE), **parameters, **cursor)
            yield from page[key]
            if "cursor" not in page:
                return
            cursor = {"cursor": page["cursor"]}


def _sample(chooser: random.Random, among: Iterable[str], weight: Callable[[str], int]) -> list[str]:
    """The heaviest few, and others at random."""
    ordered = sorted(among, key=lambda one: (-weight(one), one))
    heaviest, others = ordered[:FEED_ACCOUNTS], ordered[FEED_ACCOUNTS:]
    return heaviest + chooser.sample(others, min(SAMPLE - len(heaviest), len(others)))


def check_totals(status: Status, truth: Truth) -> Wrong:
    """Every entry that the hosts hold is in a table or in quarantine; every repository is accounted for."""
    tally = status.tally
    yield from _differ("record entries in the ledger", tally.entries, truth.entries)
    rows = sum(status.rows.values())
    yield from _differ("rows and quarantined entries", rows + tally.quarantined, tally.entries)
    yield from _differ("synchronized repositories", status.repositories.get("synchronized", 0), len(truth.active))
    yield from _differ("repositories", sum(status.repositories.values()), len(truth.active | truth.inactive))


def check_profile(api: ApiClient, truth: Truth, did: str) -> Wrong:
    """A profile's texts and counts, and its handle resolved back."""
    profile = api.get("app.bsky.actor.getProfile", actor=did)
    record = truth.profiles.get(did, {})
    expected = {
        "did": did,
        "displayName": record.get("displayName"),
        "description": record.get("description"),
        "followersCount": len(truth.followers[did]),
        "followsCount": len(truth.follows[did]),
        "postsCount": len(truth.posts_of(did)),
    }
    for name, value in expected.items():
        yield from _differ(f"{name} of {did}", profile.get(name), value)
    identity = api.get("com.atproto.identity.resolveIdentity", identifier=profile["handle"])
    yield from _differ(f"DID of {profile['handle']}", identity["did"], did)
    yield from _differ(f"names of {did}", identity["didDoc"]["alsoKnownAs"], [f"at://{profile['handle']}"])


def check_post(api: ApiClient, truth: Truth, uri: str) -> Wrong:
    """A post's record, whole, and its counts."""
    found = api.get("app.bsky.feed.getPosts", uris=uri)["posts"]
    if len(found) != 1:
        yield f"getPosts of {uri}: {len(found)} posts"
        return
    expected = {
        "uri": uri,
        "record": dag_cbor.to_json(truth.posts[uri]),
        "likeCount": len(truth.likes[uri]),
        "repostCount": len(truth.reposts[uri]),
        "replyCount": truth.replies[uri],
        "quoteCount": truth.quotes[uri],
    }
    for name, value in expected.items():
        yield from _differ(f"{name} of {uri}", found[0].get(name), value)


def check_feed(api: ApiClient, truth: Truth, did: str) -> Wrong:
    """All pages of an author's feed together have each of their posts once."""
    feed = api.pages("app.bsky.feed.getAuthorFeed", "feed", actor=did, filter="posts_with_replies")
    own = [item["post"]["uri"] for item in feed if "reason" not in item]
    yield from _differ(f"posts in the feed of {did}", sorted(own), sorted(truth.posts_of(did)))


def check_labels(api: ApiClient, truth: Truth, patience_seconds: float) -> Wrong:
    """What the labeler says of accounts and posts is shown to who names no labeler: what stands, and nothing else."""
    until = time.monotonic() + patience_seconds
    while next(_wrong_labels(api, truth), None) is not None and time.monotonic() < until:
        time.sleep(_LABELS_LOOK_SECONDS)
    yield from _wrong_labels(api, truth)


def _wrong_labels(api: ApiClient, truth: Truth) -> Wrong:
    for subject, values in truth.labels.items():
        if subject.startswith("at://"):
            views = api.get("app.bsky.feed.getPosts", uris=subject)["posts"]
        else:
            views = [api.get("app.bsky.actor.getProfile", actor=subject)]
        labels = [label["val"] for view in views for label in view.get("labels", []) if label["src"] == truth.labeler]
        yield from _differ(f"labels of {subject}", sorted(labels), sorted(values))


def _differ(what: str, found: object, expected: object) -> Wrong:
    if found != expected:
        yield f"{what}: {_short(found)}, expected {_short(expected)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
