"""Accounts that are switched off are in no answer of any served method, and return whole: every method is asked."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.api_client import ApiClient
from tests.factories import Account, Ref, WarehouseFactory
from tests.postgres.test_load import count
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.standing import Standing, delete_accounts, set_standings

NOW = datetime.now(UTC)
#: What a DID or a handle stands for is told of everybody, as the public directories do.
IDENTITY = "com.atproto.identity."
Answers = dict[tuple[str, str], Any]


@pytest.fixture
def people(warehouse: WarehouseFactory) -> tuple[tuple[Account, Ref], tuple[Account, Ref]]:
    """Two accounts, each with a post, that have done to each other all that one can do."""
    present, other = warehouse.account("present.test"), warehouse.account("other.test")
    posts = [warehouse.post(account, text="words") for account in (present, other)]
    for account, post in ((present, posts[1]), (other, posts[0])):
        warehouse.profile(account, displayName="words")
        warehouse.like(account, post)
        warehouse.repost(account, post)
        warehouse.post(account, text="answer", reply_to=post)
        warehouse.post(account, text="quote", embed={"$type": "app.bsky.embed.record", "record": post.strong})
    warehouse.follow(present, other)
    warehouse.follow(other, present)
    return (present, posts[0]), (other, posts[1])


async def ask_everything(api: ApiClient, people: tuple[tuple[Account, Ref], ...]) -> Answers:
    """What each method answers about each of the accounts, by method and DID."""
    paths = (await api.http.get("/openapi.json")).json()["paths"]
    answers: Answers = {}
    for path, operations in paths.items():
        nsid = path.removeprefix("/xrpc/")
        if not path.startswith("/xrpc/") or "get" not in operations or "." not in nsid or nsid.startswith(IDENTITY):
            continue
        for account, post in people:
            needed = [each["name"] for each in operations["get"].get("parameters", []) if each.get("required")]
            given = {name: argument(name, account, post) for name in needed}
            answers[nsid, account.did] = (await api.http.get(path, params=given)).json()
    return answers


def argument(name: str, account: Account, post: Ref) -> Any:
    """A value for a parameter of that name which is about the account."""
    of_did = ("actor", "actors", "repo", "did", "dids", "others")
    of_post = ("uri", "uris", "anchor")
    kinds = {
        "list": "app.bsky.graph.list",
        "starterPack": "app.bsky.graph.starterpack",
        "starterpack": "app.bsky.graph.starterpack",
    }
    known = dict.fromkeys(of_did, account.did) | dict.fromkeys(of_post, post.uri)
    known |= {name: f"at://{account.did}/{nsid}/3kaaaaaaaaa2a" for name, nsid in kinds.items()}
    known |= dict.fromkeys(("feed", "feeds"), f"at://{account.did}/app.bsky.feed.generator/some")
    known |= {"uriPatterns": [account.did], "collection": "app.bsky.feed.post", "rkey": post.uri.split("/")[-1]}
    known |= dict.fromkeys(("q", "query", "term"), "words") | {"uris": [post.uri], "actors": [account.did]}
    return known[name]


def views_of(did: str, value: Any) -> Iterator[Any]:
    """Everything in an answer that shows the account or a record of it; that something is not there may be said."""
    if isinstance(value, list):
        for item in value:
            yield from views_of(did, item)
    elif isinstance(value, dict) and "#" in value.get("$type", "#"):  # what others have written is shown as it is
        is_record = "cid" in value and value.get("uri", "").startswith(f"at://{did}/")
        if is_record or value.get("did") == did:
            yield value
        for item in value.values():
            yield from views_of(did, item)


def shown(did: str, answers: Answers) -> dict[tuple[str, str], Any]:
    found = {method: list(views_of(did, answer)) for method, answer in answers.items()}
    return {method: views for method, views in found.items() if views}


@pytest.fixture
def say(connection: psycopg.Connection) -> Callable[[str, str], None]:
    """Has a host say of an account how it stands, each time a moment later."""
    moments = iter(NOW + timedelta(seconds=step) for step in range(100))

    def set_one(did: str, status: str) -> None:
        assert set_standings(connection, read_key_space(connection), [Standing(did, status, next(moments))]) == 1
        connection.commit()

    return set_one


@pytest.mark.parametrize("status", ["deactivated", "takendown", "suspended"])
async def test_a_hidden_account_is_in_no_answer_and_returns_whole(
    api: ApiClient, people: Any, say: Callable[[str, str], None], status: str
):
    did = people[1][0].did
    before = await ask_everything(api, people)
    assert len(shown(did, before)) >= 12, "many methods show who is there"
    say(did, status)
    hidden = await ask_everything(api, people)
    assert shown(did, hidden) == {}
    assert shown(people[0][0].did, hidden)
    say(did, "active")
    assert await ask_everything(api, people) == before


async def test_a_deleted_account_is_in_no_answer_and_in_no_table(
    api: ApiClient, people: Any, connection: psycopg.Connection
):
    did = people[1][0].did
    keys = read_key_space(connection)
    removed = delete_accounts(connection, keys, [did], NOW)
    connection.commit()
    assert shown(did, await ask_everything(api, people)) == {}
    assert removed == {"post": 3, "like": 1, "repost": 1, "follow": 1, "profile": 1}
    assert all(count(connection, table) == rows for table, rows in removed.items())


async def test_a_deletion_that_is_told_again_takes_nothing_newer(
    api: ApiClient, people: Any, say: Callable[[str, str], None], connection: psycopg.Connection
):
    """An old `deleted` that a relay replays is from before the account's return."""
    did = people[1][0].did
    say(did, "active")
    before = await ask_everything(api, people)
    assert delete_accounts(connection, read_key_space(connection), [did], NOW - timedelta(days=1)) == {}
    connection.commit()
    assert await ask_everything(api, people) == before


@pytest.mark.parametrize(("reason", "left"), [("former-key", "former-key"), ("deactivated", None)])
async def test_what_is_said_of_an_account_leaves_what_proved_its_records(
    people: Any, say: Callable[[str, str], None], connection: psycopg.Connection, reason: str, left: str | None
):
    connection.execute("UPDATE repo SET reason = %s", (reason,))
    connection.commit()
    say(people[1][0].did, "active")
    actor = read_key_space(connection).actor_id(people[1][0].did)
    assert connection.execute("SELECT reason FROM repo WHERE actor_id = %s", (actor,)).fetchone() == (left,)
