"""Operations undone on the part of a tree that a commit's message carries: the root before, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.devnet.tree import Tree
from zeppelin_pipeline.errors import InvalidDataError

# Few digits, so that keys are near each other; the second kind has one key in four at layer 1 and above, as any.
KEYS = st.integers(0, 400).map(lambda number: f"app.bsky.feed.like/{number:013d}".encode())
CIDS = st.integers(0, 10).map(lambda number: cid_of(b"%d" % number))
TREES = st.dictionaries(KEYS, CIDS, max_size=150)
WRITES = st.dictionaries(KEYS, CIDS | st.none(), min_size=1, max_size=20)


def _apply(before: dict[bytes, bytes], writes: dict[bytes, bytes | None]) -> tuple[dict[bytes, bytes], list[Change]]:
    after = dict(before)
    changes: list[Change] = []
    for key, cid in writes.items():
        if cid is None:
            after.pop(key, None)
        else:
            after[key] = cid
        if before.get(key) != after.get(key):
            changes.append(Change(key, before.get(key), after.get(key)))
    return after, changes


def _proof(after: dict[bytes, bytes], changes: list[Change]) -> tuple[bytes, dict[bytes, bytes]]:
    """The new root, and the nodes from it to each key and its neighbours: what a server must send."""
    tree = Tree(sorted(after.items()))
    root = tree.root_cid
    return root, {node.cid: node.block for change in changes for node in tree.nodes_around(change.key)}


@settings(max_examples=300)
@given(TREES, WRITES)
def test_operations_are_undone_with_the_blocks_around_them_alone(
    before: dict[bytes, bytes], writes: dict[bytes, bytes | None]
) -> None:
    after, changes = _apply(before, writes)
    root, blocks = _proof(after, changes)
    if changes:
        assert mst.invert(root, changes, blocks.get) == mst.root_of(sorted(before.items()))
        assert mst.invert(root, changes[::-1], blocks.get) == mst.root_of(sorted(before.items()))


@given(TREES, WRITES)
def test_without_operations_the_root_is_what_it_is(
    before: dict[bytes, bytes], writes: dict[bytes, bytes | None]
) -> None:
    after, changes = _apply(before, writes)
    root, blocks = _proof(after, changes)
    assert mst.invert(root, [], blocks.get) == root


@settings(max_examples=200)
@given(TREES, WRITES, st.data())
def test_an_operation_that_is_not_told_or_told_wrongly_gives_another_root_or_is_refused(
    before: dict[bytes, bytes], writes: dict[bytes, bytes | None], data: st.DataObject
) -> None:
    after, changes = _apply(before, writes)
    if not changes:
        return
    root, blocks = _proof(after, changes)
    place = data.draw(st.integers(0, len(changes) - 1))
    told = changes[place]
    other = cid_of(b"another record")
    lies: list[list[Change]] = [[], [Change(told.key, other, told.new_cid)], [Change(told.key, told.old_cid, other)]]
    for lie in lies:
        claimed = [*changes[:place], *lie, *changes[place + 1 :]]
        assert _outcome(root, claimed, blocks) != mst.root_of(sorted(before.items()))


@settings(max_examples=200)
@given(TREES, WRITES, st.data())
def test_a_missing_block_is_named_or_was_not_needed(
    before: dict[bytes, bytes], writes: dict[bytes, bytes | None], data: st.DataObject
) -> None:
    after, changes = _apply(before, writes)
    if not changes:
        return
    root, blocks = _proof(after, changes)
    del blocks[data.draw(st.sampled_from(sorted(blocks)))]
    assert _outcome(root, changes, blocks) in {mst.root_of(sorted(before.items())), "mst-missing-block"}


def _outcome(root: bytes, changes: list[Change], blocks: dict[bytes, bytes]) -> bytes | str:
    try:
        return mst.invert(root, changes, blocks.get)
    except InvalidDataError as error:
        return error.reason


@given(TREES, WRITES)
def test_one_key_is_not_changed_twice(before: dict[bytes, bytes], writes: dict[bytes, bytes | None]) -> None:
    after, changes = _apply(before, writes)
    if changes:
        root, blocks = _proof(after, changes)
        with pytest.raises(InvalidDataError, match="op-repeated"):
            mst.invert(root, [*changes, changes[0]], blocks.get)
