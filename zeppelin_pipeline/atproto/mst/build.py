"""A tree made from sorted entries in one pass: one open node for each layer, closed when a higher key comes.

The tree depends on its entries alone, not on the order in which they once came; so a rebuilt root proves a set of
entries complete.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.atproto.mst.node import Entry, encode_node, key_height
from zeppelin_pipeline.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class Mst:
    """A built tree.

    Attributes:
        root: the CID of its root node.
        blocks: every node's block by its CID, subtrees before the nodes that hold them.
    """

    root: bytes
    blocks: dict[bytes, bytes]


def build(entries: Iterable[Entry]) -> Mst:
    """Build the tree of (key, record CID) pairs that rise by key.

    Raises:
        InvalidDataError: `mst-order` for keys that do not rise.
    """
    blocks: dict[bytes, bytes] = {}

    def keep(cid: bytes, block: bytes) -> None:
        blocks[cid] = block

    return Mst(_build(entries, keep), blocks)


def root_of(entries: Iterable[Entry]) -> bytes:
    """Return the root's CID alone; memory for one open node a layer. Raises as `build`."""
    return _build(entries, None)


class _Layer:
    """The open node of a layer: what came since a higher key closed the one before."""

    __slots__ = ("entries", "left")

    def __init__(self) -> None:
        self.left: bytes | None = None
        self.entries: list[tuple[bytes, bytes, bytes | None]] = []

    def hang(self, subtree: bytes) -> None:
        """Hang a subtree right of the last key, or left of all."""
        if self.entries:
            key, cid, _none = self.entries[-1]
            self.entries[-1] = key, cid, subtree
        else:
            self.left = subtree


class Layers:
    """A tree while its entries come, in order: the open nodes of all layers.

    Args:
        keep: is given every closed node's CID and block; null to forget them.
    """

    __slots__ = ("_keep", "_last_key", "_layers")

    def __init__(self, keep: Callable[[bytes, bytes], None] | None) -> None:
        self._keep = keep
        self._layers: list[_Layer] = [_Layer()]
        self._last_key = b""

    def add(self, key: bytes, cid: bytes, height: int) -> None:
        """Add an entry whose key is above those before; `height` is that of its key.

        Raises:
            InvalidDataError: `mst-order`.
        """
        if key <= self._last_key:
            raise InvalidDataError("mst-order", f"{key[:200]!r} behind {self._last_key[:200]!r}")
        self._last_key = key
        if height:
            self._grow(height)
            self._close_below(height)
        self._layers[height].entries.append((key, cid, None))

    def hang(self, subtree: bytes, height: int) -> None:
        """Add a whole subtree of a height; the keys before and behind it are higher."""
        self._grow(height + 1)
        self._close_below(height + 1)
        self._layers[height + 1].hang(subtree)

    def close(self) -> bytes:
        """Close all nodes; return the root's CID."""
        top = len(self._layers) - 1
        self._close_below(top)
        return self._close(self._layers[top])

    def _grow(self, height: int) -> None:
        while len(self._layers) <= height:
            self._layers.append(_Layer())

    def _close_below(self, height: int) -> None:
        for index in range(height):
            layer = self._layers[index]
            if layer.entries or layer.left is not None:
                self._layers[index + 1].hang(self._close(layer))
                layer.left = None
                layer.entries = []

    def _close(self, layer: _Layer) -> bytes:
        block = encode_node(layer.left, layer.entries)
        cid = DAG_CBOR_PREFIX + sha256(block).digest()
        if self._keep is not None:
            self._keep(cid, block)
        return cid


def _build(entries: Iterable[Entry], keep: Callable[[bytes, bytes], None] | None) -> bytes:
    layers = Layers(keep)
    for key, cid in entries:
        layers.add(key, cid, key_height(key))
    return layers.close()


#: The root of a tree without entries: what the first commit of a repository follows on.
EMPTY_ROOT: Final = root_of(())
