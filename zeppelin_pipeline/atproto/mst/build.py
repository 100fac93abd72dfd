"""A tree made from sorted entries in one pass: one open node for each layer, closed when a higher key comes.

The tree depends on its entries alone, not on the order in which they once came; so a rebuilt root proves a set of
entries complete.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

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


def _build(entries: Iterable[Entry], keep: Callable[[bytes, bytes], None] | None) -> bytes:
    layers: list[_Layer] = [_Layer()]
    last_key = b""
    for key, cid in entries:
        if key <= last_key:
            raise InvalidDataError("mst-order", f"{key[:200]!r} behind {last_key[:200]!r}")
        last_key = key
        height = key_height(key)
        if height:
            while len(layers) <= height:
                layers.append(_Layer())
            _close_below(layers, height, keep)
        layers[height].entries.append((key, cid, None))
    top = len(layers) - 1
    _close_below(layers, top, keep)
    return _close(layers[top], keep)


def _close_below(layers: list[_Layer], height: int, keep: Callable[[bytes, bytes], None] | None) -> None:
    for index in range(height):
        layer = layers[index]
        if layer.entries or layer.left is not None:
            layers[index + 1].hang(_close(layer, keep))
            layer.left = None
            layer.entries = []


def _close(layer: _Layer, keep: Callable[[bytes, bytes], None] | None) -> bytes:
    block = encode_node(layer.left, layer.entries)
    cid = DAG_CBOR_PREFIX + sha256(block).digest()
    if keep is not None:
        keep(cid, block)
    return cid
