"""Lists, starter packs, labelers, verifications and relationships over a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api_client import ApiClient, running_api
from tests.factories import A_LIST, Account, Ref, WarehouseFactory

CURATED = {"name": "friends", "purpose": "app.bsky.graph.defs#curatelist"}
MODERATION = {"name": "pests", "purpose": "app.bsky.graph.defs#modlist"}
REFERENCE = {"name": "pack", "purpose": "app.bsky.graph.defs#referencelist"}


def _list(warehouse: WarehouseFactory, owner: Account, members: list[Account], value: dict[str, str] = CURATED) -> Ref:
    made = warehouse.record(owner, "app.bsky.graph.list", value)
    for member in members:
        _add(warehouse, owner, made, member)
    return made


def _add(warehouse: WarehouseFactory, owner: Account, to: Ref, member: Account) -> Ref:
    return warehouse.record(owner, "app.bsky.graph.listitem", {"subject": member.did, "list": to.uri})


async def test_a_list_shows_its_members_newest_first_and_once_each(api: ApiClient, warehouse: WarehouseFactory):
    owner = warehouse.account("owner.test", {"displayName": "Owner"})
    users = [warehouse.account(f"user{number}.test") for number in range(7)]
    hidden = warehouse.account("hidden.test", status="takendown")
    made = _list(warehouse, owner, [*users[:3], hidden, *users[3:], users[0]])

    pages = await api.pages("app.bsky.graph.getList", "items", list=made.uri, limit=3)
    body = await api.get("app.bsky.graph.getList", list=made.uri.replace(owner.did, "owner.test"))

    assert [[item["subject"]["handle"] for item in page] for page in pages] == [
        ["user6.test", "user5.test", "user4.test"],
        ["user3.test", "user2.test", "user1.test"],
        ["user0.test"],
    ]
    assert body["list"]["creator"]["displayName"] == "Owner"
    assert body["items"][0]["uri"].startswith(f"at://{owner.did}/app.bsky.graph.listitem/")
    assert await api.error("app.bsky.graph.getList", list=A_LIST) == (400, "InvalidRequest")


async def test_a_block_hides_a_member_where_the_operator_follows_blocks(postgres_url: str, warehouse: WarehouseFactory):
    owner, friend, foe = (warehouse.account(f"{name}.test") for name in ("owner", "friend", "foe"))
    warehouse.block(foe, owner)
    curated, pests = _list(warehouse, owner, [friend, foe]), _list(warehouse, owner, [friend, foe], MODERATION)

    warehouse.follow(friend, owner)
    warehouse.follow(foe, owner)

    async with running_api(postgres_url, third_party_blocks_hide=True) as strict, running_api(postgres_url) as open_api:
        assert len((await strict.get("app.bsky.graph.getFollowers", actor=owner.did))["followers"]) == 1
        assert len((await open_api.get("app.bsky.graph.getFollowers", actor=owner.did))["followers"]) == 2
        assert len((await strict.get("app.bsky.graph.getList", list=curated.uri))["items"]) == 1
        assert len((await strict.get("app.bsky.graph.getList", list=pests.uri))["items"]) == 2
        assert len((await open_api.get("app.bsky.graph.getList", list=curated.uri))["items"]) == 2


async def test_a_block_by_a_moderation_list_hides_as_one_of_the_account_does(
    postgres_url: str, warehouse: WarehouseFactory
):
    owner, other, curated, foe = (warehouse.account(f"{name}.test") for name in ("owner", "other", "curated", "foe"))
    pests, friends = _list(warehouse, other, [foe], MODERATION), _list(warehouse, other, [curated])
    for follower in (other, curated, foe):
        warehouse.follow(follower, owner)
    for blocked in (pests, friends):
        warehouse.record(owner, "app.bsky.graph.listblock", {"subject": blocked.uri})

    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        shown = (await strict.get("app.bsky.graph.getFollowers", actor=owner.did))["followers"]
        assert [follower["handle"] for follower in shown] == ["curated.test", "other.test"]
        (follower,) = (await strict.get("app.bsky.graph.getFollows", actor=curated.did))["follows"]
        assert follower["handle"] == "owner.test"
        assert (await strict.get("app.bsky.graph.getFollows", actor=foe.did))["follows"] == []


async def test_labels_that_an_author_puts_on_a_list_are_not_shown_but_labelers_are(
    api: ApiClient, warehouse: WarehouseFactory
):
    owner, labeler = warehouse.account("owner.test"), warehouse.labeler()
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "nudity"}]}
    made = warehouse.record(owner, "app.bsky.graph.list", {**CURATED, "labels": labels})
    warehouse.label(labeler, made.uri, "rude")

    accept = {"atproto-accept-labelers": labeler.did}
    view = (await api.get("app.bsky.graph.getList", accept, list=made.uri))["list"]

    assert [label["val"] for label in view["labels"]] == ["rude"]


async def test_an_empty_parameter_is_none(api: ApiClient, warehouse: WarehouseFactory):
    owner = warehouse.account("owner.test")

    assert len((await api.get("app.bsky.actor.getProfiles", actors=["", owner.did]))["profiles"]) == 1
    assert (await api.get("app.bsky.graph.getLists", actor=owner.did, limit="", cursor=""))["lists"] == []
    assert await api.error("app.bsky.actor.getProfiles", actors="") == (400, "InvalidRequest")
    assert await api.error("app.bsky.actor.getProfile", actor="") == (400, "InvalidRequest")


async def test_lists_are_told_apart_by_purpose(api: ApiClient, warehouse: WarehouseFactory):
    owner = warehouse.account("owner.test")
    for value in (CURATED, MODERATION, REFERENCE, CURATED):
        _list(warehouse, owner, [], value)

    async def names(**parameters: Any) -> list[str]:
        body = await api.get("app.bsky.graph.getLists", actor="owner.test", **parameters)
        return [view["name"] for view in body["lists"]]

    assert await names() == ["friends", "pests", "friends"]
    assert await names(purposes="modlist") == ["pests"]
    assert await names(purposes=["app.bsky.graph.defs#curatelist", "test"]) == ["friends", "friends"]
    assert await names(purposes="referencelist") == []
    pages = await api.pages("app.bsky.graph.getLists", "lists", actor=owner.did, limit=2)
    assert [len(page) for page in pages] == [2, 1]
    assert await api.error("app.bsky.graph.getLists", actor="nobody.test") == (400, "InvalidRequest")


async def test_a_starter_pack_shows_its_list_its_feeds_and_who_of_it_is_followed_most(
    api: ApiClient, warehouse: WarehouseFactory
):
    owner = warehouse.account("owner.test")
    users = [warehouse.account(f"user{number}.test") for number in range(14)]
    for number, user in enumerate(users):
        warehouse.actor_counts(user, followers=number % 7)
    made = _list(warehouse, owner, users, REFERENCE)
    feed = warehouse.record(owner, "app.bsky.feed.generator", {"did": "did:web:f.test", "displayName": "Feed"})
    value = {"name": "start", "list": made.uri, "feeds": [{"uri": feed.uri}]}
    pack = warehouse.record(owner, "app.bsky.graph.starterpack", value)

    body = await api.get("app.bsky.graph.getStarterPack", starterPack=pack.uri.replace(owner.did, "owner.test"))

    view = body["starterPack"]
    assert (view["list"]["name"], view["feeds"][0]["displayName"]) == ("pack", "Feed")
    sample = [item["subject"]["handle"] for item in view["listItemsSample"]]
    assert sample[:4] == ["user13.test", "user6.test", "user12.test", "user5.test"]
    assert len(sample) == 12
    assert api.queries <= 6
    missing = pack.uri[:-1] + "2"
    assert await api.error("app.bsky.graph.getStarterPack", starterPack=missing) == (400, "InvalidRequest")
    basic = await api.get("app.bsky.graph.getStarterPacks", uris=[missing, pack.uri, feed.uri])
    assert [view["uri"] for view in basic["starterPacks"]] == [pack.uri]


async def test_a_starter_pack_counts_who_joined_by_it_ever_and_in_the_last_week(
    api: ApiClient, warehouse: WarehouseFactory
):
    owner = warehouse.account("owner.test")
    pack, other = (
        warehouse.record(owner, "app.bsky.graph.starterpack", {"name": name, "list": A_LIST}) for name in ("one", "two")
    )
    now = datetime.now(UTC)
    for number, days in enumerate((1, 6, 8)):
        joined = {"joinedViaStarterPack": pack.strong, "created_at": (now - timedelta(days=days)).isoformat()}
        warehouse.account(f"user{number}.test", joined)
    warehouse.record_counts(pack, items=3)

    body = await api.get("app.bsky.graph.getStarterPacks", uris=[pack.uri, other.uri])
    profile = await api.get("app.bsky.actor.getProfile", actor="user0.test")

    counts = [(view["joinedAllTimeCount"], view["joinedWeekCount"]) for view in body["starterPacks"]]
    assert counts == [(3, 2), (0, 0)]
    assert profile["joinedViaStarterPack"]["joinedAllTimeCount"] == 3


async def test_an_accounts_starter_packs_come_newest_first(api: ApiClient, warehouse: WarehouseFactory):
    owner = warehouse.account("owner.test")
    packs = [
        warehouse.record(owner, "app.bsky.graph.starterpack", {"name": f"pack {number}", "list": A_LIST})
        for number in range(5)
    ]

    pages = await api.pages("app.bsky.graph.getActorStarterPacks", "starterPacks", actor="owner.test", limit=2)

    assert [view["uri"] for page in pages for view in page] == [pack.uri for pack in reversed(packs)]
    few = api.queries
    await api.get("app.bsky.graph.getActorStarterPacks", actor="owner.test", limit=100)
    assert api.queries == few


async def test_labelers_are_shown_with_or_without_their_policies(api: ApiClient, warehouse: WarehouseFactory):
    labeler, other = warehouse.account("labeler.test"), warehouse.account("other.test")
    policies = {"labelValues": ["spam"]}
    warehouse.record(
        labeler, "app.bsky.labeler.service", {"policies": policies, "subjectTypes": ["account"]}, rkey="self"
    )

    short = await api.get("app.bsky.labeler.getServices", dids=[other.did, labeler.did])
    long = await api.get("app.bsky.labeler.getServices", dids=[labeler.did], detailed=True)

    (view,) = short["views"]
    assert view["$type"] == "app.bsky.labeler.defs#labelerView"
    assert "policies" not in view
    (detailed,) = long["views"]
    assert (detailed["policies"], detailed["subjectTypes"]) == (policies, ["account"])


async def test_relationships_are_told_in_both_directions(api: ApiClient, warehouse: WarehouseFactory):
    me, friend, foe, listed = (warehouse.account(f"{name}.test") for name in ("me", "friend", "foe", "listed"))
    following, followed = warehouse.follow(me, friend), warehouse.follow(friend, me)
    warehouse.follow(me, friend)
    blocked = warehouse.block(foe, me)
    pests = _list(warehouse, foe, [listed], MODERATION)
    warehouse.record(me, "app.bsky.graph.listblock", {"subject": pests.uri})
    others = [friend.did, foe.did, listed.did, "", "foe.test", me.did]

    body = await api.get("app.bsky.graph.getRelationships", actor="me.test", others=others)

    kind = "app.bsky.graph.defs#relationship"
    assert body == {
        "actor": me.did,
        "relationships": [
            {"$type": kind, "did": friend.did, "following": following.uri, "followedBy": followed.uri},
            {"$type": kind, "did": foe.did, "blockedBy": blocked.uri},
            {"$type": kind, "did": listed.did, "blockingByList": pests.uri},
            {"$type": "app.bsky.graph.defs#notFoundActor", "actor": "foe.test", "notFound": True},
            {"$type": kind, "did": me.did},
        ],
    }
    assert api.queries == 2
    mirrored = await api.get("app.bsky.graph.getRelationships", actor=listed.did, others=[me.did])
    assert mirrored["relationships"] == [{"$type": kind, "did": me.did, "blockedByList": pests.uri}]
    assert await api.get("app.bsky.graph.getRelationships", actor=me.did) == {"actor": me.did, "relationships": []}


async def test_a_verification_counts_while_name_and_handle_are_those_that_were_verified(
    postgres_url: str, warehouse: WarehouseFactory
):
    trusted = warehouse.account("trusted.test", {"displayName": "Trusted"})
    stranger = warehouse.account("stranger.test")
    alice = warehouse.account("alice.test", {"displayName": "Alice"})
    renamed = warehouse.account("renamed.test", {"displayName": "Renamed"})
    for issuer, subject, name in ((trusted, alice, "Alice"), (stranger, alice, "Alice"), (trusted, renamed, "Before")):
        value = {"subject": subject.did, "handle": subject.handle, "displayName": name}
        warehouse.record(issuer, "app.bsky.graph.verification", value)
    labeler = warehouse.labeler()
    for account in (alice, trusted):
        warehouse.label(labeler, account.did, "impersonation")

    async with running_api(postgres_url, trusted_verifiers=(trusted.did,)) as api:

        async def verification(account: Account, *labelers: str) -> Any:
            accepted = {"atproto-accept-labelers": ", ".join(labelers)}
            return (await api.get("app.bsky.actor.getProfile", accepted, actor=account.did)).get("verification")

        state = await verification(alice)
        assert (state["verifiedStatus"], state["trustedVerifierStatus"]) == ("valid", "none")
        (view,) = state["verifications"]
        assert (view["issuer"], view["issuerDisplayName"], view["isValid"]) == (trusted.did, "Trusted", True)
        assert (await verification(renamed))["verifiedStatus"] == "invalid"
        assert (await verification(trusted))["trustedVerifierStatus"] == "valid"
        assert await verification(stranger) is None
        redacting = f"{labeler.did};redact"
        assert (await verification(alice, labeler.did))["verifiedStatus"] == "valid"
        assert (await verification(alice, redacting))["verifiedStatus"] == "invalid"
        assert (await verification(trusted, redacting))["trustedVerifierStatus"] == "invalid"


async def test_clients_are_told_how_the_service_is_configured(postgres_url: str):
    region = {"countryCode": "GB", "minAccessAge": 13, "rules": []}
    suggestion = {"tag": "cats", "subjectType": "feed", "subject": "at://did:plc:a/app.bsky.feed.generator/cats"}
    async with running_api(postgres_url, age_assurance_regions=[region], tagged_suggestions=[suggestion]) as api:
        assert await api.get("app.bsky.unspecced.getTaggedSuggestions") == {"suggestions": [suggestion]}
        assert (await api.get("app.bsky.unspecced.getConfig"))["checkEmailConfirmed"] is False
        config = {"$type": "app.bsky.ageassurance.defs#config", "regions": [region]}
        assert await api.get("app.bsky.ageassurance.getConfig") == config
