"""What people write: the mix, the references between records, the same for the same seed."""

from collections import Counter
from typing import Any

import pytest

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.commit import decode_commit, verify_commit
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.atproto.syntax import is_at_uri, is_datetime, is_did, is_record_key, is_tid, parse_at_uri
from zeppelin_pipeline.devnet.blobs import find_blob, referenced_blobs
from zeppelin_pipeline.devnet.damage import KeyedBlock
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import RepositoryMaker, make_repository_maker

Network = dict[str, list[KeyedBlock]]


@pytest.fixture(scope="module")
def decoded(records: Network) -> dict[str, dict[str, Any]]:
    """Records by AT URI."""
    return {
        f"at://{did}/{key.decode()}": dag_cbor.decode(block) for did, made in records.items() for key, block in made
    }


@pytest.fixture(scope="module")
def cids(records: Network) -> dict[str, str]:
    """Text CIDs by AT URI."""
    return {
        f"at://{did}/{key.decode()}": cid_to_text(cid_of(block)) for did, made in records.items() for key, block in made
    }


def of_type(decoded: dict[str, dict[str, Any]], collection: str) -> dict[str, dict[str, Any]]:
    return {uri: record for uri, record in decoded.items() if f"/{collection}/" in uri}


def strong_refs(value: Any) -> list[dict[str, str]]:
    if isinstance(value, dict):
        if set(value) == {"cid", "uri"}:
            return [value]
        return [ref for member in value.values() for ref in strong_refs(member)]
    return [ref for member in value for ref in strong_refs(member)] if isinstance(value, list) else []


def test_the_mix_is_that_of_the_public_network(records: Network):
    counted = Counter(key.partition(b"/")[0].decode() for made in records.values() for key, _ in made)
    total = counted.total()
    shares = {"like": 0.62, "repost": 0.07, "post": 0.12}
    for name, share in shares.items():
        assert abs(counted[f"app.bsky.feed.{name}"] / total - share) < 0.02
    assert abs(counted["app.bsky.graph.follow"] / total - 0.17) < 0.02
    assert abs(counted["app.bsky.graph.block"] / total - 0.02) < 0.01
    assert counted["app.bsky.actor.profile"] == len(records)


def test_every_known_collection_and_an_unknown_one_occur(records: Network):
    found = {key.partition(b"/")[0].decode() for made in records.values() for key, _ in made}
    assert found >= {
        "app.bsky.actor.status",
        "app.bsky.feed.generator",
        "app.bsky.feed.postgate",
        "app.bsky.feed.threadgate",
        "app.bsky.graph.list",
        "app.bsky.graph.listblock",
        "app.bsky.graph.listitem",
        "app.bsky.graph.starterpack",
        "app.bsky.graph.verification",
        "app.bsky.labeler.service",
        "app.bsky.notification.declaration",
        "chat.bsky.actor.declaration",
        "com.germnetwork.declaration",
        "com.example.thing",
    }


def test_every_kind_of_post_occurs(decoded: dict[str, dict[str, Any]]):
    posts = of_type(decoded, "app.bsky.feed.post").values()
    embeds = {post["embed"]["$type"].rpartition(".")[2] for post in posts if "embed" in post}
    assert embeds >= {"images", "external", "video", "gallery", "record", "recordWithMedia"}
    features = {facet["features"][0]["$type"].rpartition("#")[2] for post in posts for facet in post.get("facets", ())}
    assert features == {"mention", "link", "tag"}
    replies = sum("reply" in post for post in posts)
    assert 0.3 < replies / len(posts) < 0.55


def test_every_strong_reference_meets_a_record_with_that_cid(decoded: dict[str, dict[str, Any]], cids: dict[str, str]):
    refs = [ref for record in decoded.values() for ref in strong_refs(record)]
    assert len(refs) > 5000
    assert all(cids[ref["uri"]] == ref["cid"] for ref in refs)


def test_a_reply_names_its_parents_root(decoded: dict[str, dict[str, Any]]):
    replies = [post["reply"] for post in of_type(decoded, "app.bsky.feed.post").values() if "reply" in post]
    for reply in replies:
        parent = decoded[reply["parent"]["uri"]]
        assert reply["root"] == (parent["reply"]["root"] if "reply" in parent else reply["parent"])


def test_facets_cover_the_bytes_they_speak_of(decoded: dict[str, dict[str, Any]]):
    for post in of_type(decoded, "app.bsky.feed.post").values():
        for facet in post.get("facets", ()):
            index, feature = facet["index"], facet["features"][0]
            shown = post["text"].encode()[index["byteStart"] : index["byteEnd"]].decode()
            if "tag" in feature:
                assert shown == f"#{feature['tag']}"
            else:
                assert shown.startswith("@") if "did" in feature else shown.endswith("…")


def test_likes_are_skewed_towards_few_posts(decoded: dict[str, dict[str, Any]]):
    subjects = Counter(like["subject"]["uri"] for like in of_type(decoded, "app.bsky.feed.like").values())
    top = sum(count for _, count in subjects.most_common(max(len(subjects) // 20, 1)))
    assert top / subjects.total() > 0.15


def test_likes_come_in_usual_and_in_odd_forms(decoded: dict[str, dict[str, Any]]):
    likes = of_type(decoded, "app.bsky.feed.like")
    assert all(is_datetime(like["createdAt"]) for like in likes.values())
    assert any("via" in like for like in likes.values())
    assert any("source" in like for like in likes.values())
    assert any("/app.bsky.feed.generator/" in like["subject"]["uri"] for like in likes.values())
    assert any(like["createdAt"].endswith("+09:00") for like in likes.values())
    assert any(not is_tid(uri.rpartition("/")[2]) for uri in likes)


def test_follows_are_mostly_distinct_and_never_of_oneself(decoded: dict[str, dict[str, Any]]):
    follows = of_type(decoded, "app.bsky.graph.follow")
    pairs = Counter((parse_at_uri(uri).authority, follow["subject"]) for uri, follow in follows.items())
    assert all(is_did(subject) and author != subject for author, subject in pairs)
    assert 0 < pairs.total() - len(pairs) < pairs.total() / 20


def test_gates_stand_beside_their_posts(decoded: dict[str, dict[str, Any]]):
    gates = of_type(decoded, "app.bsky.feed.threadgate") | of_type(decoded, "app.bsky.feed.postgate")
    for uri, gate in gates.items():
        author, _, rkey = uri.removeprefix("at://").split("/")
        assert gate["post"] == f"at://{author}/app.bsky.feed.post/{rkey}"
        assert gate["post"] in decoded
        others = gate.get("hiddenReplies", []) + gate.get("detachedEmbeddingUris", [])
        assert all(other in decoded for other in others)


def test_uris_and_record_keys_are_well_formed(decoded: dict[str, dict[str, Any]]):
    assert all(is_at_uri(uri) and is_record_key(uri.rpartition("/")[2]) for uri in decoded)


def test_every_blob_reference_meets_a_blob_of_that_account(maker: RepositoryMaker, records: Network):
    found = 0
    for account in maker.population.accounts[:20]:
        for _, block in records[account.did]:
            for cid in referenced_blobs(dag_cbor.decode(block)):
                assert find_blob(maker.population.config.seed, account.index, cid) is not None
                found += 1
    assert found > 20


def test_a_repository_opens_and_its_signature_verifies(maker: RepositoryMaker, records: Network):
    for account in maker.population.accounts:
        made = maker.make(account)
        opened = open_repository(made.car)
        assert [key for key, _ in opened.entries] == [key for key, _ in records[account.did]]
        assert (opened.commit.did, opened.commit.rev, opened.commit_cid) == (account.did, made.rev, made.head)
        assert verify_commit(opened.commit, maker.population.signing_key(account).public_key)
        assert decode_commit(made.commit) == opened.commit


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others():
    first, again, other = (
        make_repository_maker(DevnetConfig(repos=12, seed=seed, mean_records=40.0)) for seed in (3, 3, 4)
    )
    for one, same, different in zip(
        first.population.accounts, again.population.accounts, other.population.accounts, strict=True
    ):
        assert first.make(one).car == again.make(same).car
        assert one.did != different.did


def test_a_network_of_one_account_is_made():
    maker = make_repository_maker(DevnetConfig(repos=1, hosts=1, mean_records=1.0))
    assert open_repository(maker.make(maker.population.accounts[0]).car).entries
