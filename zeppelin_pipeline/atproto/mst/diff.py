"""What changed between two trees, reading only the nodes that differ.

Two cursors go through the trees in step. Where both stand before the same subtree, both step over it; else the higher
one is opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from zeppelin_pipeline.atproto.mst.node import Entry, GetBlock, load_node
from zeppelin_pipeline.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs. A null `old_cid` is a creation, a null `new_cid` a deletion, neither an update."""

    key: bytes
    old_cid: bytes | None
    new_cid: bytes | None


def diff(old_root: bytes | None, new_root: bytes | None, get_block: GetBlock) -> list[Change]:
    """Compare two trees; null stands for the empty tree. Subtrees that both have are not read, and may be missing.

    Returns:
        the changes, ascending by key.

    Raises:
        InvalidDataError: a node that had to be read is missing or broken, by the reasons of `walk`. Key syntax is not
            checked.
    """
    return list(_changes(_Cursor(old_root, get_block), _Cursor(new_root, get_block)))


@dataclass(frozen=True, slots=True)
class _Subtree:
    cid: bytes
    layer: int | None


class _Cursor:
    """A place in a tree: what comes next is an entry or a subtree that was not opened."""

    __slots__ = ("_get_block", "_last_key", "_pending")

    def __init__(self, root: bytes | None, get_block: GetBlock) -> None:
        self._get_block = get_block
        self._pending: list[Entry | _Subtree] = [] if root is None else [_Subtree(root, None)]
        self._last_key = b""

    def peek(self) -> Entry | _Subtree | None:
        return self._pending[-1] if self._pending else None

    def skip(self) -> None:
        self._pending.pop()

    def take(self, entry: Entry) -> None:
        """Step over an entry, which must be above the one before."""
        if entry[0] <= self._last_key:
            raise InvalidDataError("mst-order", f"{entry[0][:200]!r} behind {self._last_key[:200]!r}")
        self._last_key = entry[0]
        self._pending.pop()

    def open(self, subtree: _Subtree) -> None:
        """Put a subtree's parts in its place."""
        self._pending.pop()
        node = load_node(subtree.cid, subtree.layer, self._get_block)
        below = None if node.layer is None else node.layer - 1
        rights = node.rights or [None] * len(node.entries)
        for entry, right in zip(reversed(node.entries), reversed(rights), strict=True):
            if right is not None:
                self._pending.append(_Subtree(right, below))
            self._pending.append(entry)
        if node.left is not None:
            self._pending.append(_Subtree(node.left, below))


def _changes(old: _Cursor, new: _Cursor) -> Iterator[Change]:
    while True:
        left, right = old.peek(), new.peek()
        if isinstance(left, _Subtree) or isinstance(right, _Subtree):
            _step_into(old, new, left, right)
        elif left is None and right is None:
            return
        elif right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            old.take(left)
            yield Change(left[0], left[1], None)
        elif left is None or right[0] < left[0]:
            new.take(right)
            yield Change(right[0], None, right[1])
        else:
            old.take(left)
            new.take(right)
            if left[1] != right[1]:
                yield Change(left[0], left[1], right[1])


def _step_into(old: _Cursor, new: _Cursor, left: Entry | _Subtree | None, right: Entry | _Subtree | None) -> None:
    if not isinstance(left, _Subtree):
        assert isinstance(right, _Subtree)
        new.open(right)
    elif not isinstance(right, _Subtree):
        old.open(left)
    elif left.cid == right.cid:
        old.skip()
        new.skip()
    elif _is_higher(left, right):
        old.open(left)
    else:
        new.open(right)


def _is_higher(left: _Subtree, right: _Subtree) -> bool:
    # A root's layer is not known before it is read, and nothing is higher than a root.
    return left.layer is None or (right.layer is not None and left.layer >= right.layer)
