"""The operations of a commit undone on the part of the new tree that its message carries; no other block is needed.

Sync 1.1: the root that comes out must be the `prevData` of the message. As the tree depends on its entries alone, that
proves that the operations are all that changed. The tree is held as its entries in order, with subtrees that nothing
asked for left closed between them; it is opened where an operation falls, and built again from what is there.

Specification: Sync, "Commit Validation: MST Operation Inversion".
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from zeppelin_pipeline.atproto.mst.build import Layers
from zeppelin_pipeline.atproto.mst.diff import Change
from zeppelin_pipeline.atproto.mst.node import Entry, GetBlock, key_height, load_node
from zeppelin_pipeline.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class _Closed:
    """A subtree that was not opened; the root's layer is not known before."""

    cid: bytes
    layer: int | None


_Open: TypeAlias = tuple[bytes, bytes, int]
"""Key, record CID, layer."""


def invert(root: bytes, changes: Iterable[Change], get_block: GetBlock) -> bytes:
    """Return the root before the changes.

    Args:
        root: of the tree after them.
        changes: of different keys, in any order.
        get_block: gives the blocks that the message carries, whose hashes were checked.

    Raises:
        InvalidDataError: `op-repeated` (two changes of one key), `op-not-in-tree` (a change that the tree does not
            show), `mst-missing-block`, and those of a node by the reasons of `walk`.
    """
    partial = _PartialTree(root, get_block)
    seen: set[bytes] = set()
    for change in changes:
        if change.key in seen:
            raise InvalidDataError("op-repeated", f"{change.key[:200]!r}")
        seen.add(change.key)
        partial.undo(change)
    return partial.root()


class _PartialTree:
    """The entries that are known, in order, and the closed subtrees between them.

    `_keys` holds for each item its key, and for a closed subtree that of the entry before it, so that it can be
    searched by halves: what a message costs is bounded by its size, whatever its operations are.
    """

    __slots__ = ("_get_block", "_items", "_keys")

    def __init__(self, root: bytes, get_block: GetBlock) -> None:
        self._get_block = get_block
        self._items: list[_Open | _Closed] = [_Closed(root, None)]
        self._keys = [b""]

    def undo(self, change: Change) -> None:
        """Make the key what it was before."""
        key, place = change.key, self._find(change.key)
        item = self._items[place] if place < len(self._items) else None
        found = item if isinstance(item, tuple) and item[0] == key else None
        if change.new_cid != (found[1] if found else None) or (found is None and change.old_cid is None):
            raise InvalidDataError("op-not-in-tree", f"{key[:200]!r}")
        if change.old_cid is None:
            del self._items[place], self._keys[place]
        elif found:
            self._items[place] = key, change.old_cid, found[2]
        else:
            self._items.insert(place, (key, change.old_cid, key_height(key)))
            self._keys.insert(place, key)

    def root(self) -> bytes:
        """Build the tree and return its root."""
        self._open_clashing()
        if len(self._items) == 1 and isinstance(only := self._items[0], _Closed):
            return self._root_of(only)
        layers = Layers(None)
        for item in self._items:
            if isinstance(item, tuple):
                layers.add(item[0], item[1], item[2])
            else:
                assert item.layer is not None, "a root that is not alone was opened"
                layers.hang(item.cid, item.layer)
        return layers.close()

    def _root_of(self, only: _Closed) -> bytes:
        """All keys above it are gone: it is the root, but for nodes without keys on top of it."""
        while self._get_block(only.cid) is not None:
            node = load_node(only.cid, only.layer, self._get_block)
            if node.entries or node.left is None or node.layer is None:
                break
            only = _Closed(node.left, node.layer - 1)
        return only.cid

    def _find(self, key: bytes) -> int:
        """The place of a key, or that where it would be, once every subtree that could hold it is open."""
        while True:
            place = bisect_left(self._keys, key)
            if place < len(self._keys) and self._keys[place] == key:
                return place
            # Where a key has gone, two closed subtrees may be neighbours, and both could hold it.
            if not place or not isinstance(self._items[place - 1], _Closed):
                return place
            self._open(place - 1)

    def _open_clashing(self) -> None:
        """Open every subtree that cannot hang where it is, as a neighbour belongs into it."""
        index = 0
        while index < len(self._items):
            item = self._items[index]
            if isinstance(item, _Closed) and self._clashes(item, index):
                self._open(index)
                index = max(index - 1, 0)  # what came in its place may belong into the one before
            else:
                index += 1

    def _clashes(self, closed: _Closed, index: int) -> bool:
        for place in (index - 1, index + 1):
            if 0 <= place < len(self._items):
                near = self._items[place]
                layer = near.layer if isinstance(near, _Closed) else near[2]
                if layer is None or closed.layer is None or layer <= closed.layer:
                    return True
        return False

    def _open(self, index: int) -> None:
        closed = self._items[index]
        assert isinstance(closed, _Closed)
        node = load_node(closed.cid, closed.layer, self._get_block)
        self._check_between(index, node.entries)
        items: list[_Open | _Closed] = []
        keys: list[bytes] = []
        layer = -1 if node.layer is None else node.layer
        if node.left is not None:
            items.append(_Closed(node.left, layer - 1))
            keys.append(self._keys[index])
        for (key, cid), right in zip(node.entries, node.rights or [None] * len(node.entries), strict=True):
            items.append((key, cid, layer))
            keys.append(key)
            if right is not None:
                items.append(_Closed(right, layer - 1))
                keys.append(key)
        self._items[index : index + 1] = items
        self._keys[index : index + 1] = keys

    def _check_between(self, index: int, entries: list[Entry]) -> None:
        """Refuse keys that are not between those around their subtree."""
        if not entries:
            return
        place = index + 1
        while place < len(self._items) and isinstance(self._items[place], _Closed):
            place += 1
        after = self._keys[place] if place < len(self._keys) else None
        if entries[0][0] <= self._keys[index] or (after is not None and entries[-1][0] >= after):
            raise InvalidDataError("mst-order", f"{entries[0][0][:200]!r} to {entries[-1][0][:200]!r}")
