"""A Merkle search tree that is changed, not rebuilt, for live commits: nodes are values, and share what is unchanged.

`atproto.mst` builds and walks whole trees; here one record costs only the nodes on its way.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache

from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.mst import key_height
from zeppelin_pipeline.atproto.mst.node import encode_entry, encode_node

Entry = tuple[bytes, bytes]
"""Key and the CID of its record."""


class Node:
    """One node, never changed once made.

    Attributes:
        height: 0 for leaves; each child is exactly one lower.
        keys: its own, in order.
        values: the CIDs of their records.
        children: one more than the keys: what lies before, between and after them; None where nothing does.
        block: its bytes.
        cid: their CID.
    """

    __slots__ = ("block", "children", "cid", "height", "keys", "values")

    def __init__(
        self,
        height: int,
        keys: Sequence[bytes],
        values: Sequence[bytes],
        children: Sequence["Node | None"],
        block: bytes | None = None,
    ) -> None:
        self.height = height
        self.keys = keys
        self.values = values
        self.children = children
        self.block = _encode(keys, values, children) if block is None else block
        self.cid = cid_of(self.block)

    def with_child(self, place: int, child: "Node | None") -> "Node":
        """The same node over another subtree."""
        former, block = self.children[place], None
        if former is not None and child is not None:
            block = self.block.replace(former.cid, child.cid)  # no other subtree is the same: its keys are others
        children = [*self.children[:place], child, *self.children[place + 1 :]]
        return Node(self.height, self.keys, self.values, children, block)


def _encode(keys: Sequence[bytes], values: Sequence[bytes], children: Sequence[Node | None]) -> bytes:
    left, *rights = [child and child.cid for child in children]
    return encode_node(left, zip(keys, values, rights, strict=True), _remembered_entry)


#: A commit changes few entries of the nodes that it makes anew.
_remembered_entry = lru_cache(maxsize=1 << 18)(encode_entry)


class Tree:
    """The tree of one repository.

    Attributes:
        root: the topmost node; an empty leaf when there are no records.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        heights = [key_height(key) for key, _ in entries]
        self.root = _build(entries, heights, max(heights, default=0)) or _EMPTY

    @property
    def root_cid(self) -> bytes:
        """CID of the root, the `data` of a commit."""
        return self.root.cid

    def put(self, key: bytes, cid: bytes) -> None:
        """Add a record, or give a key another one."""
        self.root = _put(self.root if self.root.keys else None, key, cid, key_height(key))

    def delete(self, key: bytes) -> None:
        """Take a record out; KeyError when there is none."""
        root = _delete(self.root, key)
        while root is not None and not root.keys:
            root = root.children[0]
        self.root = root or _EMPTY

    def nodes(self) -> Iterator[Node]:
        """All nodes, parents first."""
        pending = [self.root]
        while pending:
            node = pending.pop()
            yield node
            pending.extend(child for child in reversed(node.children) if child is not None)

    def nodes_around(self, key: bytes) -> list[Node]:
        """The nodes from the root to a key and to its neighbours: what proves that it is or is not there.

        With them, and nothing else, the operation that put the key there or took it away can be undone (Sync 1.1). The
        nodes that the operation made are among them: all that it changes touches the key.
        """
        around: list[Node] = []
        pending: list[Node | None] = [self.root]
        while pending:
            node = pending.pop()
            if node is not None:
                around.append(node)
                place = bisect_left(node.keys, key)
                if place < len(node.keys) and node.keys[place] == key:
                    pending.append(node.children[place + 1])
                pending.append(node.children[place])
        return around


def _build(entries: Sequence[Entry], heights: Sequence[int], height: int) -> Node | None:
    if not entries:
        return None
    own = [place for place, at in enumerate(heights) if at == height]
    starts, ends = [0, *(place + 1 for place in own)], [*own, len(entries)]
    children = [
        _build(entries[start:end], heights[start:end], height - 1) for start, end in zip(starts, ends, strict=True)
    ]
    return Node(height, [entries[place][0] for place in own], [entries[place][1] for place in own], children)


def _put(node: Node | None, key: bytes, cid: bytes, height: int) -> Node:
    if node is None:
        return Node(height, [key], [cid], [None, None])
    if height > node.height:
        left, right = _split(node, key)
        return Node(height, [key], [cid], [_lift(left, height - 1), _lift(right, height - 1)])
    place = bisect_left(node.keys, key)
    if height < node.height:
        return node.with_child(place, _lift(_put(node.children[place], key, cid, height), node.height - 1))
    if place < len(node.keys) and node.keys[place] == key:
        return Node(height, node.keys, [*node.values[:place], cid, *node.values[place + 1 :]], node.children)
    keys, values = [*node.keys[:place], key, *node.keys[place:]], [*node.values[:place], cid, *node.values[place:]]
    return Node(
        height, keys, values, [*node.children[:place], *_split(node.children[place], key), *node.children[place + 1 :]]
    )


def _delete(node: Node | None, key: bytes) -> Node | None:
    if node is None:
        raise KeyError(key)
    place = bisect_left(node.keys, key)
    if place < len(node.keys) and node.keys[place] == key:
        merged = _merge(node.children[place], node.children[place + 1])
        keys = [*node.keys[:place], *node.keys[place + 1 :]]
        values = [*node.values[:place], *node.values[place + 1 :]]
        return _node(node.height, keys, values, [*node.children[:place], merged, *node.children[place + 2 :]])
    child = _delete(node.children[place], key)
    return node.with_child(place, child) if node.keys or child is not None else None


def _split(node: Node | None, key: bytes) -> tuple[Node | None, Node | None]:
    """What lies before a key that is not in the tree, and what lies after it."""
    if node is None:
        return None, None
    place = bisect_left(node.keys, key)
    left, right = _split(node.children[place], key)
    if right is None and place == len(node.keys):
        return node, None
    if left is None and place == 0:
        return None, node
    before = _node(node.height, node.keys[:place], node.values[:place], [*node.children[:place], left])
    after = _node(node.height, node.keys[place:], node.values[place:], [right, *node.children[place + 1 :]])
    return before, after


def _merge(left: Node | None, right: Node | None) -> Node | None:
    """One node of two neighbours of one height."""
    if left is None or right is None:
        return left or right
    middle = _merge(left.children[-1], right.children[0])
    keys, values = [*left.keys, *right.keys], [*left.values, *right.values]
    return Node(left.height, keys, values, [*left.children[:-1], middle, *right.children[1:]])


def _node(height: int, keys: Sequence[bytes], values: Sequence[bytes], children: Sequence[Node | None]) -> Node | None:
    """A node, or None when it would hold nothing."""
    return Node(height, keys, values, children) if keys or children[0] is not None else None


def _lift(node: Node | None, height: int) -> Node | None:
    """The node under as many empty ones as bring it to a height."""
    while node is not None and node.height < height:
        node = Node(node.height + 1, (), (), (node,))
    return node


_EMPTY = Node(0, (), (), (None,))
