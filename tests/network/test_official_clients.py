"""The two clients that users have read our API, over the seeded network: npm's `@atproto/api` and PyPI's `atproto`."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from atproto import Client, models
from atproto.exceptions import BadRequestError, RequestErrorBase
from atproto_client.models.base import ModelBase
from atproto_client.models.utils import get_model_as_dict, get_or_create

from tests.network.expectations import BULK_AUTHOR
from tests.network.node import run_node
from tests.network.official import SETUP_SECONDS, Seed
from tests.network.truth import RepositoryReader

pytestmark = [pytest.mark.network, pytest.mark.timeout(SETUP_SECONDS)]

NODE_SECONDS = 120
COUNTS = ("likeCount", "repostCount", "replyCount", "quoteCount")


def test_the_official_client_of_npm_reads_every_method(api_url: str, expected: dict[str, Any], tmp_path: Path):
    document = tmp_path / "expected.json"
    document.write_text(json.dumps(expected), encoding="utf-8")
    run_node(
        "--test",
        "clients.test.mjs",
        timeout_seconds=NODE_SECONDS,
        ZEPPELIN_API_URL=api_url,
        ZEPPELIN_EXPECTED=str(document),
    )


def test_our_api_gives_each_record_in_the_very_form_that_its_pds_does(
    api_url: str, homes: dict[str, RepositoryReader], seed: Seed
):
    with closing(RepositoryReader(api_url)) as api:
        for name, account in seed.accounts.items():
            if account.did in homes and name != BULK_AUTHOR:
                host = homes[account.did]
                for uri, record in host.records(account.did).items():
                    assert api.record(uri) == record


@pytest.fixture(scope="module")
def client(api_url: str) -> Client:
    return Client(api_url)


def fields(answer: ModelBase) -> dict[str, Any]:
    """An answer as JSON again, after the client's models have checked it a second time, formats of strings included."""
    as_json = get_model_as_dict(answer)
    get_or_create(as_json, type(answer), strict_string_format=True)
    return as_json


def picked(view: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: view.get(name) for name in wanted}


def test_the_client_of_pypi_reads_profiles(client: Client, expected: dict[str, Any]):
    for profile in expected["profiles"]:
        for actor in (profile["did"], profile["handle"]):
            assert picked(fields(client.get_profile(actor)), profile) == profile
    views = fields(client.get_profiles([profile["did"] for profile in expected["profiles"]]))["profiles"]
    assert [picked(view, expected["profiles"][0]) for view in views] == expected["profiles"]


def test_the_client_of_pypi_is_told_why_a_profile_is_refused(client: Client, expected: dict[str, Any]):
    for actor in [*expected["hidden"], "nobody.alpha.test"]:
        with pytest.raises(BadRequestError):
            client.get_profile(actor)


def test_the_client_of_pypi_resolves_handles(client: Client, expected: dict[str, Any]):
    for profile in expected["profiles"]:
        assert client.resolve_handle(profile["handle"]).did == profile["did"]


def test_the_client_of_pypi_reads_posts(client: Client, expected: dict[str, Any]):
    wanted = {post["uri"]: post for post in expected["posts"]}
    uris = [*wanted, *expected["deletedPosts"]]
    views: list[dict[str, Any]] = []
    for start in range(0, len(uris), 25):
        views += fields(client.get_posts(uris[start : start + 25]))["posts"]
    assert {view["uri"] for view in views} == set(wanted)
    for view in views:
        post = wanted[view["uri"]]
        assert (view["cid"], view["author"]["did"], view["record"]["text"]) == (
            post["cid"],
            post["author"],
            post["text"],
        )
        assert picked(view, dict.fromkeys(COUNTS)) == {count: post[count] for count in COUNTS}


@pytest.mark.parametrize(
    ("key", "model"),
    [
        ("pictures", models.AppBskyEmbedImages.View),
        ("article", models.AppBskyEmbedExternal.View),
        ("quote", models.AppBskyEmbedRecord.View),
        ("quote-of-gone", models.AppBskyEmbedRecord.View),
        ("quote-with-picture", models.AppBskyEmbedRecordWithMedia.View),
        ("clip", models.AppBskyEmbedVideo.View),
    ],
)
def test_the_client_of_pypi_knows_each_embed(
    client: Client, expected: dict[str, Any], key: str, model: type[ModelBase]
):
    [uri] = [post["uri"] for post in expected["posts"] if post["key"] == key]
    [view] = client.get_posts([uri]).posts
    assert isinstance(view.embed, model)


def test_the_client_of_pypi_reads_feeds_page_by_page(client: Client, expected: dict[str, Any]):
    for actor, items in expected["feeds"].items():
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = client.get_author_feed(actor, cursor=cursor, limit=2)
            found += fields(page)["feed"]
            cursor = page.cursor
            if cursor is None:
                break
        assert [{"uri": item["post"]["uri"], "isRepost": "reason" in item} for item in found] == items


def test_the_client_of_pypi_reads_threads(client: Client, expected: dict[str, Any]):
    for wanted in expected["threads"]:
        answer = client.get_post_thread(wanted["uri"])
        fields(answer)
        thread = answer.thread
        assert isinstance(thread, models.AppBskyFeedDefs.ThreadViewPost)
        answers = [reply for reply in thread.replies or [] if isinstance(reply, models.AppBskyFeedDefs.ThreadViewPost)]
        assert sorted(reply.post.uri for reply in answers) == wanted["replies"]
        ancestors: list[str | None] = []
        node: Any = thread.parent
        while node is not None:
            is_there = isinstance(node, models.AppBskyFeedDefs.ThreadViewPost)
            ancestors.append(node.post.uri if is_there else None)
            node = node.parent if is_there else None
        assert ancestors == wanted["ancestors"]


def test_the_client_of_pypi_reads_who_liked_reposted_and_followed(client: Client, expected: dict[str, Any]):
    for uri, dids in expected["likes"].items():
        likes = fields(client.get_likes(uri))["likes"]
        assert [like["actor"]["did"] for like in likes] == dids
    for uri, dids in expected["reposts"].items():
        assert [person["did"] for person in fields(client.get_reposted_by(uri))["repostedBy"]] == dids
    for actor, dids in expected["followers"].items():
        assert [person["did"] for person in fields(client.get_followers(actor))["followers"]] == dids
    for actor, dids in expected["follows"].items():
        assert [person["did"] for person in fields(client.get_follows(actor))["follows"]] == dids


def test_the_client_of_pypi_is_told_that_a_method_is_not_served(client: Client):
    with pytest.raises(RequestErrorBase) as refusal:
        client.get_timeline()
    assert refusal.value.response is not None
    assert refusal.value.response.status_code == 501
