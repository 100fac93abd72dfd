"""A repository that goes on: commits that chain, can be undone, and are in what is served next."""

from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

import pytest

from zeppelin_pipeline.atproto import dag_cbor, mst
from zeppelin_pipeline.atproto.car import index_blocks, read_car, write_car
from zeppelin_pipeline.atproto.commit import decode_commit, verify_commit
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.live_repository import LiveCommit, LiveRepository, Write
from zeppelin_pipeline.devnet.model import LAST_MICROS
from zeppelin_pipeline.devnet.repositories import RepositoryMaker
from zeppelin_pipeline.devnet.store import RepositoryStore
from zeppelin_pipeline.devnet.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Live:
    """A repository under test."""

    repository: LiveRepository
    seeded: bytes
    key: PublicKey


@pytest.fixture
def live(maker: RepositoryMaker, tmp_path: Path) -> Live:
    account = maker.population.accounts[0]
    stored = RepositoryStore(maker, tmp_path).load(account)
    key = maker.population.signing_key(account)
    return Live(LiveRepository(account.did, stored, key, RLock()), stored.car(), key.public_key)


def rev(number: int) -> str:
    return int_to_tid((LAST_MICROS + 1_000_000_000 + number) << 10)


def note(number: int) -> Write:
    block = dag_cbor.encode({"$type": "com.example.note", "number": number})
    return Write(f"com.example.note/{int_to_tid(number << 10)}".encode(), block)


def written(live: Live, count: int) -> list[LiveCommit]:
    """Commits of every kind: creations all over the tree, changes, deletions."""
    keys = sorted(live.repository.entries)
    commits: list[LiveCommit] = []
    for number in range(count):
        key = keys[number * 7 % len(keys)]
        if number % 3 == 0:
            write = note(number)
        elif number % 3 == 1 and key in live.repository.entries:
            write = Write(key, None)
        else:
            write = Write(key, note(number).block)
        commits.append(live.repository.commit([write], rev(number)))
    return commits


class Withheld(Node):
    """A subtree of known CID whose nodes are not at hand: whoever looks into it fails."""

    def __init__(self, cid: bytes, height: int) -> None:
        self.height = height
        self.cid = cid

    def __getattribute__(self, name: str) -> object:
        if name in {"children", "keys", "values", "block"}:
            raise LookupError("a node that the commit did not carry")
        return super().__getattribute__(name)


def load(cid: bytes | None, height: int | None, blocks: dict[bytes, bytes]) -> Node | None:
    """A tree from those of its nodes that are at hand."""
    if cid is None:
        return None
    if cid not in blocks:
        assert height is not None, "the root is always there"
        return Withheld(cid, height)
    raw, keys = dag_cbor.decode(blocks[cid]), list[bytes]()
    for entry in raw["e"]:
        keys.append((keys[-1] if keys else b"")[: entry["p"]] + entry["k"])
    height = mst.key_height(keys[0]) if keys else height
    assert height is not None, "a root has entries"
    links = [raw["l"], *(entry["t"] for entry in raw["e"])]
    values = [entry["v"] for entry in raw["e"]]
    return Node(height, keys, values, [load(link, height - 1, blocks) for link in links])


def undo(commit: LiveCommit) -> bytes:
    """The root before the commit, found from its own blocks alone (Sync 1.1, operation inversion)."""
    _, places = index_blocks(commit.blocks)
    blocks = {cid: commit.blocks[start:end] for cid, (start, end) in places.items()}
    tree = Tree([])
    tree.root = load(decode_commit(blocks[commit.head]).data, None, blocks) or tree.root
    for operation in reversed(commit.operations):
        if operation.prev is None:
            tree.delete(operation.key)
        else:
            tree.put(operation.key, operation.prev)
    return tree.root_cid


def test_each_commit_names_the_one_before_it(live: Live):
    at = live.repository.rev
    data = open_repository(live.seeded).commit.data
    for commit in written(live, 40):
        assert (commit.since, commit.prev_data) == (at, data)
        _, places = index_blocks(commit.blocks)
        start, end = places[commit.head]
        block = decode_commit(commit.blocks[start:end])
        assert (block.did, block.rev) == (live.repository.did, commit.rev)
        at, data = commit.rev, block.data


def test_each_commit_can_be_undone_from_its_own_blocks(live: Live):
    commits = written(live, 120)
    assert {operation.action for commit in commits for operation in commit.operations} == {
        "create",
        "update",
        "delete",
    }
    for commit in commits:
        assert undo(commit) == commit.prev_data


def test_a_commit_without_its_nodes_cannot_be_undone(live: Live):
    commit = written(live, 1)[0]
    root, places = index_blocks(commit.blocks)
    start, end = places[root]
    alone = replace(commit, blocks=write_car(root, [(root, commit.blocks[start:end])]))
    with pytest.raises(AssertionError, match="the root is always there"):
        undo(alone)


def test_what_is_served_holds_all_commits(live: Live):
    commits = written(live, 60)
    opened = open_repository(live.repository.car())
    assert (opened.commit_cid, opened.commit.rev) == (commits[-1].head, commits[-1].rev)
    assert dict(opened.entries) == live.repository.entries
    assert verify_commit(opened.commit, live.key)
    assert [(key, cid) for key, cid, _ in live.repository.records()] == opened.entries


def test_the_blocks_since_a_revision_complete_the_older_car(live: Live):
    commits = written(live, 30)
    middle = commits[9].rev
    older = dict(blocks_of(live.seeded))
    for commit in commits[:10]:
        older |= blocks_of(commit.blocks)
    newer = live.repository.car_since(middle)
    assert index_blocks(newer)[0] == commits[-1].head
    assert not set(blocks_of(newer)) & set(blocks_of(live.seeded))
    whole = write_car(commits[-1].head, (older | blocks_of(newer)).items())
    assert dict(open_repository(whole).entries) == live.repository.entries


def test_there_is_nothing_since_the_present_and_everything_since_long_ago(live: Live):
    commits = written(live, 5)
    assert blocks_of(live.repository.car_since(commits[-1].rev)) == {}
    assert live.repository.car_since("2222222222222") == live.repository.car()


def blocks_of(car: bytes) -> dict[bytes, bytes]:
    _, blocks = read_car(car)
    return {cid: car[start:end] for cid, start, end in blocks}
