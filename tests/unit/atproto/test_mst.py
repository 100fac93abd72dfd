"""The tree: known heights, prefixes and roots, and every way in which a node can be wrong."""

from typing import Any

import pytest

from tests.vectors.mst_cases import COMMITS, COMMON_PREFIXES, KEY_HEIGHTS, KEYS_BY_LAYER, LEAF, CommitCase
from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.cid import cid_from_text, cid_of, cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import decode, encode
from zeppelin_pipeline.atproto.mst import Change, Mst
from zeppelin_pipeline.errors import InvalidDataError

LEAF_CID = cid_from_text(LEAF)
EMPTY_ROOT = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"


def entries_of(keys: set[str]) -> list[tuple[bytes, bytes]]:
    return [(key.encode(), LEAF_CID) for key in sorted(keys)]


def keys_of_layer(layer: int, count: int) -> list[bytes]:
    found: list[bytes] = []
    number = 0
    while len(found) < count:
        key = b"com.example.thing/%06d" % number
        if mst.key_height(key) == layer:
            found.append(key)
        number += 1
    return found


@pytest.mark.parametrize(("key", "height"), KEY_HEIGHTS)
def test_a_key_has_its_published_height(key: str, height: int) -> None:
    assert mst.key_height(key.encode()) == height


@pytest.mark.parametrize("key", KEYS_BY_LAYER)
def test_an_example_key_tells_its_height(key: str) -> None:
    assert mst.key_height(key.encode()) == int(key[1])


@pytest.mark.parametrize(("left", "right", "length"), COMMON_PREFIXES)
def test_two_keys_share_their_published_prefix(left: str, right: str, length: int) -> None:
    assert mst.common_prefix_length(left.encode(), right.encode()) == length


@pytest.mark.parametrize("case", COMMITS, ids=lambda case: case.name)
def test_a_commit_takes_the_tree_from_root_to_root(case: CommitCase) -> None:
    keys_after = (set(case.keys) | set(case.adds)) - set(case.deletes)
    before, after = mst.build(entries_of(set(case.keys))), mst.build(entries_of(keys_after))
    assert (cid_to_text(before.root), cid_to_text(after.root)) == (case.root_before, case.root_after)
    assert mst.root_of(entries_of(keys_after)) == after.root
    known = before.blocks | after.blocks
    assert {cid_from_text(text) for text in case.proof} <= known.keys()
    expected = [Change(key.encode(), None, LEAF_CID) for key in case.adds]
    expected += [Change(key.encode(), LEAF_CID, None) for key in case.deletes]
    assert mst.diff(before.root, after.root, known.get) == sorted(expected, key=lambda change: change.key)


@pytest.mark.parametrize("case", COMMITS, ids=lambda case: case.name)
def test_a_commit_is_undone_with_the_blocks_of_its_published_proof(case: CommitCase) -> None:
    keys_after = (set(case.keys) | set(case.adds)) - set(case.deletes)
    after = mst.build(entries_of(keys_after))
    proof = {cid_from_text(text) for text in case.proof} | {after.root}
    changes = [Change(key.encode(), None, LEAF_CID) for key in case.adds]
    changes += [Change(key.encode(), LEAF_CID, None) for key in case.deletes]
    blocks = {cid: block for cid, block in after.blocks.items() if cid in proof}
    assert cid_to_text(mst.invert(after.root, changes, blocks.get)) == case.root_before


@pytest.mark.parametrize("case", COMMITS, ids=lambda case: case.name)
def test_a_proof_lets_the_new_tree_be_compared_without_the_rest(case: CommitCase) -> None:
    keys_after = (set(case.keys) | set(case.adds)) - set(case.deletes)
    before, after = mst.build(entries_of(set(case.keys))), mst.build(entries_of(keys_after))
    proof = {cid_from_text(text) for text in case.proof}
    sent = {cid: block for cid, block in after.blocks.items() if cid in proof} | before.blocks
    changes = mst.diff(before.root, after.root, sent.get)
    assert {change.key.decode() for change in changes} == set(case.adds) | set(case.deletes)


def test_the_empty_tree_is_one_known_node() -> None:
    tree = mst.build([])
    assert cid_to_text(tree.root) == EMPTY_ROOT
    assert list(mst.walk(tree.root, tree.blocks.get)) == []
    assert mst.diff(tree.root, None, tree.blocks.get) == []


@pytest.mark.parametrize("layer", [0, 1, 2, 4])
def test_a_single_key_is_a_root_at_its_layer(layer: int) -> None:
    entries = [(keys_of_layer(layer, 1)[0], LEAF_CID)]
    tree = mst.build(entries)
    assert len(tree.blocks) == 1
    assert list(mst.walk(tree.root, tree.blocks.get)) == entries


def test_layers_without_keys_between_are_empty_nodes() -> None:
    entries = sorted((keys_of_layer(layer, 1)[0], LEAF_CID) for layer in (0, 5))
    tree = mst.build(entries)
    assert len(tree.blocks) == 6
    assert list(mst.walk(tree.root, tree.blocks.get)) == entries


@pytest.mark.parametrize("keys", [[b"b/1", b"a/1"], [b"a/1", b"a/1"], [b""]])
def test_keys_that_do_not_rise_are_not_built(keys: list[bytes]) -> None:
    for make in (mst.build, mst.root_of):
        with pytest.raises(InvalidDataError) as caught:
            make([(key, LEAF_CID) for key in keys])
        assert caught.value.reason == "mst-order"


def node(*entries: dict[str, Any], left: bytes | None = None) -> Mst:
    return stored({"e": list(entries), "l": left})


def stored(value: Any, **more: bytes) -> Mst:
    block = encode(value)
    return Mst(cid_of(block), {cid_of(block): block, **{cid_of(other): other for other in more.values()}})


def item(key: bytes, shared: int = 0, right: bytes | None = None, cid: Any = LEAF_CID) -> dict[str, Any]:
    return {"k": key, "p": shared, "t": right, "v": cid}


LOW_A, LOW_B = keys_of_layer(0, 2)
HIGH = keys_of_layer(1, 1)[0]
SHARED = mst.common_prefix_length(LOW_A, LOW_B)
EMPTY = encode({"e": [], "l": None})
LEAF_BLOCK = encode({"e": [item(LOW_A)], "l": None})
WITHOUT_RIGHT = {"k": LOW_A, "p": 0, "v": LEAF_CID}
BROKEN: dict[str, tuple[Mst, str]] = {
    "not a map": (stored([1]), "mst-shape"),
    "a number": (stored(5), "mst-shape"),
    "a text of two letters": (stored("el"), "mst-shape"),
    "a field missing": (stored({"e": []}), "mst-shape"),
    "a field too many": (stored({"e": [], "l": None, "x": 1}), "mst-shape"),
    "another field": (stored({"e": [], "x": None}), "mst-shape"),
    "entries that are no list": (stored({"e": {}, "l": None}), "mst-shape"),
    "entries that are null": (stored({"e": None, "l": None}), "mst-shape"),
    "entries that are a text": (stored({"e": "ab", "l": None}), "mst-shape"),
    "an entry that is no map": (stored({"e": [1], "l": None}), "mst-shape"),
    "an entry without t": (stored({"e": [WITHOUT_RIGHT], "l": None}), "mst-shape"),
    "an entry with a field too many": (node(item(LOW_A) | {"x": 1}), "mst-shape"),
    "a key that is text": (node(item(LOW_A) | {"k": "abc"}), "mst-shape"),
    "a key that is a list": (node(item(LOW_A) | {"k": [1]}), "mst-shape"),
    "a prefix that is true": (node(item(LOW_A), item(LOW_B[1:]) | {"p": True}), "mst-shape"),
    "a value that is null": (node(item(LOW_A, cid=None)), "mst-shape"),
    "a value that is text": (node(item(LOW_A, cid="x" * 36)), "mst-shape"),
    "a value that is bytes": (node(item(LOW_A, cid=b"x" * 36)), "mst-shape"),
    "a value that is a raw link": (node(item(LOW_A, cid=b"\x01\x55\x12\x20" + b"x" * 32)), "mst-shape"),
    "a left that is a number": (node(item(HIGH), left=5), "mst-shape"),  # pyright: ignore[reportArgumentType]
    "a right that is bytes": (node(item(HIGH, right=b"x")), "mst-shape"),
    "a first key with a prefix": (node(item(LOW_A, shared=1)), "mst-prefix"),
    "a negative prefix": (node(item(LOW_A), item(LOW_B, shared=-1)), "mst-prefix"),
    "a prefix beyond the key": (node(item(LOW_A), item(b"x", shared=len(LOW_A) + 1)), "mst-prefix"),
    "a prefix too short": (node(item(LOW_A), item(LOW_B[SHARED - 1 :], shared=SHARED - 1)), "mst-order"),
    "keys that fall": (node(item(LOW_B), item(LOW_A[SHARED:], shared=SHARED)), "mst-order"),
    "a key twice": (node(item(LOW_A), item(b"", shared=len(LOW_A))), "mst-order"),
    "keys of two layers": (node(*sorted([item(LOW_A), item(HIGH)], key=lambda entry: entry["k"])[::-1]), "mst-order"),
    "an empty key": (node(item(b"")), "mst-order"),
    "a subtree that is missing": (node(item(HIGH, right=cid_of(b"nowhere"))), "mst-missing-block"),
    "a left that is missing": (node(item(HIGH), left=cid_of(b"nowhere")), "mst-missing-block"),
    "a subtree below layer 0": (node(item(LOW_A, right=cid_of(b"nowhere"))), "mst-height"),
    "an empty node below the root": (stored({"e": [item(HIGH)], "l": cid_of(EMPTY)}, empty=EMPTY), "mst-empty"),
    "a root with but a subtree": (stored({"e": [], "l": cid_of(LEAF_BLOCK)}, leaf=LEAF_BLOCK), "mst-empty"),
    "a subtree on the wrong side": (
        stored({"e": [item(max(keys_of_layer(1, 3)), right=cid_of(LEAF_BLOCK))], "l": None}, leaf=LEAF_BLOCK),
        "mst-order",
    ),
    "one subtree twice": (
        stored({"e": [item(HIGH, right=cid_of(LEAF_BLOCK))], "l": cid_of(LEAF_BLOCK)}, leaf=LEAF_BLOCK),
        "mst-order",
    ),
}


@pytest.mark.parametrize(("tree", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_tree_is_refused_with_its_reason(tree: Mst, reason: str) -> None:
    for read in (
        lambda: list(mst.walk(tree.root, tree.blocks.get)),
        lambda: mst.diff(tree.root, None, tree.blocks.get),
    ):
        with pytest.raises(InvalidDataError) as caught:
            read()
        assert caught.value.reason == reason


def test_a_key_at_another_layer_than_its_node_is_refused() -> None:
    first, second = sorted((LOW_A, HIGH))
    shared = mst.common_prefix_length(first, second)
    tree = node(item(first), item(second[shared:], shared=shared))
    with pytest.raises(InvalidDataError) as caught:
        list(mst.walk(tree.root, tree.blocks.get))
    assert caught.value.reason == "mst-height"


def test_a_subtree_that_skips_a_layer_is_refused() -> None:
    high = keys_of_layer(2, 1)[0]
    tree = stored({"e": [item(high)], "l": cid_of(LEAF_BLOCK)}, leaf=LEAF_BLOCK)
    with pytest.raises(InvalidDataError) as caught:
        list(mst.walk(tree.root, tree.blocks.get))
    assert caught.value.reason == "mst-height"


def test_a_node_whose_links_are_plain_byte_strings_is_refused() -> None:
    tree = mst.build([(LOW_A, LEAF_CID)])
    block = tree.blocks[tree.root].replace(b"\xd8\x2a\x58\x25\x00" + LEAF_CID, b"\x58\x24" + LEAF_CID)
    with pytest.raises(InvalidDataError) as caught:
        list(mst.walk(tree.root, {tree.root: block}.get))
    assert caught.value.reason == "mst-shape"


def test_a_node_with_a_header_longer_than_needed_is_refused() -> None:
    tree = mst.build([(LOW_A, LEAF_CID)])
    block = tree.blocks[tree.root].replace(b"\x61p\x00", b"\x61p\x18\x00")
    with pytest.raises(InvalidDataError) as caught:
        list(mst.walk(tree.root, {tree.root: block}.get))
    assert caught.value.reason == "mst-shape"


def test_a_cycle_ends() -> None:
    # No true hash allows it, but a store that answers with one block for all could.
    key = keys_of_layer(6, 1)[0]
    block = encode({"e": [item(key)], "l": cid_of(b"anything")})
    with pytest.raises(InvalidDataError):
        list(mst.walk(cid_of(b"root"), lambda _cid: block))
    keyless = encode({"e": [], "l": cid_of(b"anything")})
    with pytest.raises(InvalidDataError) as caught:
        list(mst.walk(cid_of(b"root"), lambda cid: block if cid == cid_of(b"root") else keyless))
    assert caught.value.reason == "mst-empty"


@pytest.mark.parametrize(
    "key",
    [
        b"nocollection",
        b"com.example.thing/",
        b"/3jzfcijpj2z2a",
        b"com.example.thing/.",
        b"com.example.thing/..",
        b"com.example.thing/a/b",
        b"com.example.thing/a b",
        b"com.example.thing/\xc3\xa4",
        b"com.example/abc",
        b"com.example.thing_/abc",
        b"com.example.thing/" + b"a" * 513,
        b"com.example.thing/a\n",
    ],
)
def test_a_key_that_is_no_record_path_is_refused(key: bytes) -> None:
    for others in ([], [b"com.example.thing/-", b"com.example.thing/zz"]):
        entries = sorted((each, LEAF_CID) for each in (key, *others))
        tree = mst.build(entries)
        with pytest.raises(InvalidDataError) as caught:
            list(mst.walk(tree.root, tree.blocks.get))
        assert caught.value.reason == "mst-key"


def test_the_longest_key_and_keys_of_many_collections_are_taken() -> None:
    keys = [
        b"com.example.thing/" + b"a" * 512,
        b"com.example.thing/.a",
        b"com.example.thing/...",
        b"com.example.thing/-",
    ]
    keys += [b"com.example.thing%s/self" % name for name in (b"", b"A", b"a", b"0", b"00")] + [b"com.example.other/1"]
    entries = sorted((key, LEAF_CID) for key in keys)
    tree = mst.build(entries)
    assert list(mst.walk(tree.root, tree.blocks.get)) == entries
    mst.check_keys([key for key, _cid in entries])


def test_comparing_reads_only_what_differs() -> None:
    old = [(b"com.example.thing/%05d" % number, LEAF_CID) for number in range(5_000)]
    new = [*old[:2_000], (b"com.example.thing/02000", cid_of(b"new")), *old[2_001:4_000], *old[4_001:]]
    before, after = mst.build(old), mst.build(new)
    known = before.blocks | after.blocks
    read: list[bytes] = []

    def get_block(cid: bytes) -> bytes | None:
        read.append(cid)
        return known.get(cid)

    assert mst.diff(before.root, after.root, get_block) == [
        Change(b"com.example.thing/02000", LEAF_CID, cid_of(b"new")),
        Change(b"com.example.thing/04000", LEAF_CID, None),
    ]
    assert len(read) < 60
    assert len(known) > 1_000


def test_a_tree_compared_with_nothing_is_all_created_or_all_deleted() -> None:
    entries = entries_of(set(KEYS_BY_LAYER))
    tree = mst.build(entries)
    assert mst.diff(None, tree.root, tree.blocks.get) == [Change(key, None, cid) for key, cid in entries]
    assert mst.diff(tree.root, None, tree.blocks.get) == [Change(key, cid, None) for key, cid in entries]


def test_a_built_node_is_canonical() -> None:
    for block in mst.build(entries_of(set(KEYS_BY_LAYER))).blocks.values():
        assert encode(decode(block)) == block
