"""The kernel that undoes one change says what the careful code says, or nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.car import read_header, write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.kernels.frames import as_bytes, find_block, read_frames
from zeppelin_pipeline.atproto.kernels.inversion import undo_change
from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.devnet.tree import Tree
from zeppelin_pipeline.errors import InvalidDataError

KEYS = st.integers(0, 400).map(lambda number: f"app.bsky.feed.like/{number:013d}".encode())
CIDS = st.integers(0, 10).map(lambda number: cid_of(b"%d" % number))
TREES = st.dictionaries(KEYS, CIDS, max_size=150)


def undone(root: bytes, change: Change, blocks: dict[bytes, bytes]) -> bytes | None:
    """What the kernel says."""
    car = write_car(root, blocks.items())
    _, at = read_header(car)
    frames = read_frames(as_bytes(car), at, 10_000)
    assert frames is not None
    place = find_block(frames, root)
    return undo_change(frames, place, change) if place >= 0 else None


def proof(after: dict[bytes, bytes], key: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    tree = Tree(sorted(after.items()))
    return tree.root_cid, {node.cid: node.block for node in tree.nodes_around(key)}


def carefully(root: bytes, change: Change, blocks: dict[bytes, bytes]) -> bytes | None:
    try:
        return mst.invert(root, [change], blocks.get)
    except InvalidDataError:
        return None


@settings(max_examples=500, deadline=None)
@given(TREES, KEYS, CIDS | st.none())
def test_the_kernel_gives_the_root_before_or_leaves_it_to_the_careful_code(
    before: dict[bytes, bytes], key: bytes, cid: bytes | None
) -> None:
    after = {**before, key: cid} if cid is not None else {k: v for k, v in before.items() if k != key}
    if before.get(key) == cid:
        return
    root, blocks = proof(after, key)  # type: ignore[arg-type]  # a null is never put
    found = undone(root, Change(key, before.get(key), cid), blocks)
    assert found in {None, mst.root_of(sorted(before.items()))}


@settings(max_examples=500, deadline=None)
@given(TREES, KEYS, CIDS | st.none(), CIDS | st.none())
def test_whatever_a_change_claims_the_kernel_never_contradicts_the_careful_code(
    tree: dict[bytes, bytes], key: bytes, old: bytes | None, new: bytes | None
) -> None:
    root, blocks = proof(tree, key)
    change = Change(key, old, new)
    found = undone(root, change, blocks)
    assert found in {None, carefully(root, change, blocks)}


def test_nearly_all_changes_of_a_usual_repository_need_no_careful_code() -> None:
    keys = [f"app.bsky.feed.like/{number:013d}".encode() for number in range(2_000)]
    tree = {key: cid_of(key) for key in keys[:1_500]}
    undone_by_kernel = 0
    for place, key in enumerate(keys[1_500:1_800]):
        tree[key] = cid_of(key)
        root, blocks = proof(tree, key)
        undone_by_kernel += undone(root, Change(key, None, tree[key]), blocks) is not None
        gone = keys[5 * place]
        old = tree.pop(gone)
        root, blocks = proof(tree, gone)
        undone_by_kernel += undone(root, Change(gone, old, None), blocks) is not None
    assert undone_by_kernel > 595
