"""`app.bsky.actor.*` over a real database."""

from typing import Any

from tests.api_client import ApiClient
from tests.factories import A_LIST, WarehouseFactory, blob


async def test_a_profile_has_every_field_that_its_record_gives(api: ApiClient, warehouse: WarehouseFactory):
    friend = warehouse.account("friend.test")
    pack = warehouse.record(friend, "app.bsky.graph.starterpack", {"name": "pack", "list": A_LIST})
    alice = warehouse.account(
        "alice.test",
        {
            "displayName": "Alice",
            "description": "about me",
            "pronouns": "she/her",
            "website": "https://alice.test/",
            "avatar": blob("avatar"),
            "banner": blob("banner"),
            "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "!no-unauthenticated"}]},
            "joinedViaStarterPack": pack.strong,
        },
    )
    warehouse.actor_counts(alice, followers=3, follows=2, posts=1)

    view = await api.get("app.bsky.actor.getProfile", actor="alice.test")

    assert view["did"] == alice.did
    assert view["handle"] == "alice.test"
    assert view["displayName"] == "Alice"
    assert view["description"] == "about me"
    assert view["pronouns"] == "she/her"
    assert view["website"] == "https://alice.test/"
    assert view["avatar"].startswith(f"https://cdn.bsky.app/img/avatar/plain/{alice.did}/bafkrei")
    assert view["banner"].startswith(f"https://cdn.bsky.app/img/banner/plain/{alice.did}/bafkrei")
    assert view["createdAt"] == view["indexedAt"] == "2023-05-06T07:08:09.010Z"
    assert (view["followersCount"], view["followsCount"], view["postsCount"]) == (3, 2, 1)
    assert [label["val"] for label in view["labels"]] == ["!no-unauthenticated"]
    assert view["joinedViaStarterPack"]["creator"]["handle"] == "friend.test"


async def test_a_profile_is_found_by_handle_in_any_case_and_by_did(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")

    by_did = await api.get("app.bsky.actor.getProfile", actor=alice.did)
    assert await api.get("app.bsky.actor.getProfile", actor="Alice.Test") == by_did
    assert by_did["handle"] == "alice.test"


async def test_an_account_without_profile_record_has_a_bare_view(api: ApiClient, warehouse: WarehouseFactory):
    nobody = warehouse.account(handle=None)

    view = await api.get("app.bsky.actor.getProfile", actor=nobody.did)

    assert view == {
        "did": nobody.did,
        "handle": "handle.invalid",
        "associated": {
            "lists": 0,
            "feedgens": 0,
            "starterPacks": 0,
            "labeler": False,
            "activitySubscription": {"allowSubscriptions": "followers"},
        },
        "labels": [],
        "followersCount": 0,
        "followsCount": 0,
        "postsCount": 0,
    }


async def test_what_an_account_made_is_counted_and_declared(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    a_list = {"name": "friends", "purpose": "app.bsky.graph.defs#curatelist"}
    warehouse.record(alice, "app.bsky.graph.list", a_list)
    warehouse.record(alice, "app.bsky.graph.list", a_list)
    warehouse.record(alice, "app.bsky.graph.list", {"name": 1}, reason="name-not-a-string")
    warehouse.record(alice, "app.bsky.feed.generator", {"did": "did:web:feeds.test", "displayName": "Feed"})
    warehouse.record(alice, "app.bsky.labeler.service", {"policies": {"labelValues": []}}, rkey="self")
    warehouse.record(alice, "chat.bsky.actor.declaration", {"allowIncoming": "none"}, rkey="self")
    warehouse.record(alice, "app.bsky.notification.declaration", {"allowSubscriptions": "mutuals"}, rkey="self")
    warehouse.record(
        alice,
        "com.germnetwork.declaration",
        {
            "version": "1.1.0",
            "currentKey": {"$bytes": "AAEC"},
            "messageMe": {"showButtonTo": "everyone", "messageMeUrl": "https://germ.test/"},
        },
        rkey="self",
    )

    view = await api.get("app.bsky.actor.getProfile", actor=alice.did)

    assert view["associated"] == {
        "lists": 2,
        "feedgens": 1,
        "starterPacks": 0,
        "labeler": True,
        "chat": {"allowIncoming": "none"},
        "activitySubscription": {"allowSubscriptions": "mutuals"},
        "germ": {"showButtonTo": "everyone", "messageMeUrl": "https://germ.test/"},
    }


async def test_a_live_status_ends_when_its_duration_is_over(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    warehouse.record(
        alice, "app.bsky.actor.status", {"status": "app.bsky.actor.status#live", "durationMinutes": 30}, rkey="self"
    )

    status = (await api.get("app.bsky.actor.getProfile", actor=alice.did))["status"]

    assert status["status"] == "app.bsky.actor.status#live"
    assert status["expiresAt"] == "2024-01-01T00:31:00.000Z"
    assert status["isActive"] is False


async def test_a_status_that_breaks_its_lexicon_is_not_shown(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    embed = {"$type": "app.bsky.embed.external", "external": {"uri": "https://x.test/", "title": 1}}
    status = {"status": "app.bsky.actor.status#live", "embed": embed}
    warehouse.record(alice, "app.bsky.actor.status", status, rkey="self", reason="embed-external-title-not-a-string")

    assert "status" not in await api.get("app.bsky.actor.getProfile", actor=alice.did)


async def test_a_status_shows_its_card_and_no_embed_of_a_kind_that_it_does_not_know(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    card = {"uri": "https://x.test/", "title": "t", "description": "d"}
    live = {"status": "app.bsky.actor.status#live"}
    external = {"$type": "app.bsky.embed.external", "external": card}
    warehouse.record(alice, "app.bsky.actor.status", live | {"embed": external}, rkey="self")
    warehouse.record(bob, "app.bsky.actor.status", live | {"embed": {"$type": "test.embed"}}, rkey="self")

    shown = (await api.get("app.bsky.actor.getProfile", actor=alice.did))["status"]
    assert shown["embed"] == {"$type": "app.bsky.embed.external#view", "external": card}
    assert "embed" not in (await api.get("app.bsky.actor.getProfile", actor=bob.did))["status"]


async def test_hidden_accounts_are_refused_with_the_reason(api: ApiClient, warehouse: WarehouseFactory):
    for status, name in {
        "takendown": "AccountTakedown",
        "suspended": "AccountTakedown",
        "deactivated": "AccountDeactivated",
        "not-found": "InvalidRequest",
    }.items():
        account = warehouse.account(f"{status}.test", {"displayName": "hidden"}, status=status)
        assert await api.error("app.bsky.actor.getProfile", actor=account.did) == (400, name)
        assert await api.get("app.bsky.actor.getProfiles", actors=[account.did]) == {"profiles": []}


async def test_an_account_that_is_only_mentioned_is_not_found(api: ApiClient, warehouse: WarehouseFactory):
    warehouse.mention("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")

    for actor in ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb", "nobody.test"):
        assert await api.error("app.bsky.actor.getProfile", actor=actor) == (400, "InvalidRequest")


async def test_profiles_come_in_the_order_asked_for_and_the_missing_are_left_out(
    api: ApiClient, warehouse: WarehouseFactory
):
    accounts = [warehouse.account(f"user{number}.test") for number in range(5)]
    asked = ["user3.test", "nobody.test", accounts[0].did, "user4.test"]

    body = await api.get("app.bsky.actor.getProfiles", actors=asked)

    assert [view["handle"] for view in body["profiles"]] == ["user3.test", "user0.test", "user4.test"]


async def test_at_most_25_profiles_are_answered_at_once(api: ApiClient, warehouse: WarehouseFactory):
    dids = [warehouse.account(f"user{number}.test").did for number in range(26)]

    assert len((await api.get("app.bsky.actor.getProfiles", actors=dids[:25]))["profiles"]) == 25
    few = api.queries
    assert await api.error("app.bsky.actor.getProfiles", actors=dids) == (400, "InvalidRequest")
    await api.get("app.bsky.actor.getProfiles", actors=dids[:1])
    assert api.queries == few


async def test_a_handle_that_two_accounts_claim_belongs_to_the_active_one(api: ApiClient, warehouse: WarehouseFactory):
    warehouse.account("shared.test", status="deactivated")
    active = warehouse.account("shared.test")
    warehouse.account("shared.test", status="takendown")

    assert await api.get("com.atproto.identity.resolveHandle", handle="shared.test") == {"did": active.did}


async def test_an_unknown_handle_does_not_resolve(api: ApiClient):
    assert await api.error("com.atproto.identity.resolveHandle", handle="nobody.test") == (400, "HandleNotFound")
    assert await api.error("com.atproto.identity.resolveHandle", handle="not a handle") == (400, "InvalidRequest")


async def test_what_changes_of_an_account_that_was_just_shown_is_shown_by_the_next_answer(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test", {"displayName": "Alice"}), warehouse.account("bob.test")
    warehouse.follow(alice, bob)
    labeler = warehouse.labeler("labeler.test")

    async def shown() -> list[dict[str, Any]]:
        accept = {"atproto-accept-labelers": labeler.did}
        return (await api.get("app.bsky.graph.getFollowers", accept, actor=bob.did))["followers"]

    before = await shown()
    assert await shown() == before
    assert [(view["displayName"], view["handle"], view["labels"]) for view in before] == [("Alice", "alice.test", [])]
    warehouse.connection.execute("UPDATE identity SET handle_state = 'invalid' WHERE handle = 'alice.test'")
    warehouse.label(labeler, alice.did, "bot")
    (view,) = await shown()
    assert (view["handle"], [label["val"] for label in view["labels"]]) == ("handle.invalid", ["bot"])
    warehouse.connection.execute("DELETE FROM profile WHERE actor_id = %s", [warehouse.mention(alice.did)])
    assert "displayName" not in (await shown())[0]
    warehouse.connection.execute(
        "UPDATE repo SET status = 'takendown' WHERE actor_id = %s", [warehouse.mention(alice.did)]
    )
    assert await shown() == []
