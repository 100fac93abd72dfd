"""The tree that changes is the tree that would be built anew, and its commits can be undone."""

import random

import pytest

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.devnet.tree import Tree

EMPTY_ROOT = mst.build([]).root


def key_of(number: int) -> bytes:
    return f"com.example.thing/{number:013d}".encode()


def cid_of_number(number: int) -> bytes:
    return cid_of(number.to_bytes(8, "big"))


def test_an_empty_tree_is_the_empty_node():
    assert Tree([]).root_cid == EMPTY_ROOT


def test_a_built_tree_has_the_root_and_nodes_of_the_specification():
    for size in (1, 2, 5, 40, 700):
        entries = [(key_of(number), cid_of_number(number)) for number in range(size)]
        tree, built = Tree(entries), mst.build(entries)
        assert tree.root_cid == built.root
        assert {node.cid: node.block for node in tree.nodes()} == built.blocks


@pytest.mark.parametrize("seed", range(6))
def test_any_changes_lead_to_the_tree_that_is_built_from_what_remains(seed: int):
    chooser, tree, entries = random.Random(seed), Tree([]), dict[bytes, bytes]()
    for step in range(400):
        key = key_of(chooser.randrange(120))
        if key in entries and chooser.random() < 0.5:
            tree.delete(key)
            del entries[key]
        else:
            entries[key] = cid_of_number(step)
            tree.put(key, entries[key])
        assert tree.root_cid == mst.root_of(sorted(entries.items()))
    for key in list(entries):
        tree.delete(key)
    assert tree.root_cid == EMPTY_ROOT


def test_taking_out_what_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        Tree([(key_of(1), cid_of_number(1))]).delete(key_of(2))


@pytest.mark.parametrize("seed", range(3))
def test_the_nodes_that_a_tree_did_not_have_before_are_around_the_changed_keys(seed: int):
    chooser = random.Random(seed)
    entries = {key_of(number): cid_of_number(number) for number in range(0, 300, 2)}
    tree, before = Tree(sorted(entries.items())), set(mst.build(sorted(entries.items())).blocks)
    for step in range(200):
        changed = [key_of(chooser.randrange(300)) for _ in range(1 + step % 3)]
        for key in changed:
            if entries.pop(key, None) is not None and chooser.random() < 0.7:
                tree.delete(key)
            else:
                entries[key] = cid_of_number(1000 + step)
                tree.put(key, entries[key])
        after = {node.cid for node in tree.nodes()}
        assert after == set(mst.build(sorted(entries.items())).blocks)
        assert after - before <= {node.cid for key in changed for node in tree.nodes_around(key)}
        before = after


def test_the_nodes_around_a_key_are_few_and_start_at_the_root():
    tree = Tree([(key_of(number), cid_of_number(number)) for number in range(2000)])
    around = tree.nodes_around(key_of(1234))
    assert around[0].cid == tree.root_cid
    assert len(around) < 20
    assert any(key_of(1234) in node.keys for node in around)
