"""One node of the tree: its bytes written, read and proven to be the only form that such a node can have.

A node is canonical DAG-CBOR `{"e": [{"k", "p", "t", "v"}, …], "l"}`: `l` the subtree left of all keys, and for each
entry `p` bytes shared with the key before, `k` the rest of the key, `v` the record, `t` the subtree right of it.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import libipld

from zeppelin_pipeline.atproto.cbor_pieces import ARRAY, BYTES, LINK_HEAD, header, link
from zeppelin_pipeline.atproto.cid import CID_BYTES, DAG_CBOR_PREFIX
from zeppelin_pipeline.errors import InvalidDataError

Entry = tuple[bytes, bytes]
"""A key and the CID of its record."""

EncodeEntry = Callable[[bytes, bytes, bytes, bytes | None], bytes]
"""Writes an entry, as `encode_entry` does."""

GetBlock = Callable[[bytes], bytes | memoryview | None]
"""Gives the block of a CID, null when there is none. The tree's code trusts that the block has the hash that its
CID names."""

MAX_LAYER = 128
"""SHA-256 has 128 pairs of bits, so that no key is higher."""

# The digests of the keys of a layer lie between these, as bytes: twice the layer in zero bits, and then not two more.
_LAYER_FLOORS = [(1 << 254 - 2 * layer).to_bytes(32, "big") for layer in range(MAX_LAYER)] + [bytes(32)]
_LAYER_CEILINGS = [b"\xff" * 33] + [_LAYER_FLOORS[layer - 1] for layer in range(1, MAX_LAYER)] + [_LAYER_FLOORS[-2]]


class Node(NamedTuple):
    """A node that was read; a named tuple, since one is made for every three records.

    Attributes:
        layer: the height of its keys; null for an empty node whose layer nothing tells.
        left: the CID of the subtree left of all keys, null when there is none.
        entries: (key, record CID), ascending.
        rights: for each entry the CID of the subtree right of it, null when there is none; an empty list when no
            entry has one.
    """

    layer: int | None
    left: bytes | None
    entries: list[Entry]
    rights: list[bytes | None]


def key_height(key: bytes) -> int:
    """Return the layer of a key: half the number of leading zero bits of its SHA-256, rounded down."""
    leading_zeros = 256 - int.from_bytes(sha256(key).digest(), "big").bit_length()
    return leading_zeros // 2


def common_prefix_length(left: bytes, right: bytes) -> int:
    """Return how many leading bytes two keys share."""
    length = min(len(left), len(right))
    difference = int.from_bytes(left[:length], "big") ^ int.from_bytes(right[:length], "big")
    return length - (difference.bit_length() + 7) // 8


def load_node(cid: bytes, layer: int | None, get_block: GetBlock) -> Node:
    """Get a node's block and read it.

    Args:
        cid: the node's CID.
        layer: the layer at which it must stand; null for the root, whose first key decides.
        get_block: gives the block.

    Raises:
        InvalidDataError: `mst-missing-block`, or as `read_node`.
    """
    block = get_block(cid)
    if block is None:
        raise InvalidDataError("mst-missing-block", f"node {cid.hex()}")
    return read_node(bytes(block), layer)


def read_node(block: bytes, layer: int | None) -> Node:
    """Read a node's block.

    Args:
        block: its bytes.
        layer: the layer at which it must stand; null for the root.

    Raises:
        InvalidDataError: `mst-shape` (not a node, or not its canonical form), `mst-prefix` (a shared prefix that is
            too long), `mst-order` (keys not rising, or a shared prefix that is too short), `mst-height` (a key, or
            the node, at a wrong layer), `mst-empty` (a node without keys and subtrees below the root, or a root with
            a subtree and no key).
    """
    try:
        node: Any = libipld.decode_dag_cbor(block)
        if len(node) != 2 or libipld.encode_dag_cbor(node) != block:
            raise InvalidDataError("mst-shape", "not the canonical form of a node")
        left, raw_entries = node["l"], node["e"]
        if left is not None:
            check_link(left)
        if not raw_entries:
            return _keyless(raw_entries, left, layer)
        layer = key_height(raw_entries[0]["k"]) if layer is None else layer
        entries, rights = _read_entries(raw_entries, layer)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise InvalidDataError("mst-shape", str(error)[:200]) from error
    if layer == 0 and (left is not None or rights):
        raise InvalidDataError("mst-height", "a subtree below layer 0")
    return Node(layer, left, entries, rights)


def check_link(cid: bytes) -> None:
    """Refuse what is not the CID of a DAG-CBOR block (`mst-shape`; AttributeError for what is not bytes)."""
    if not cid.startswith(DAG_CBOR_PREFIX) or len(cid) != CID_BYTES:
        raise InvalidDataError("mst-shape", "a link that is not to a DAG-CBOR block")


def _keyless(raw_entries: Any, left: bytes | None, layer: int | None) -> Node:
    if not isinstance(raw_entries, list):
        raise InvalidDataError("mst-shape", "the entries are not a list")
    # Only the root of an empty tree has nothing at all; a root that has but a subtree should be that subtree.
    if (left is None) != (layer is None) or layer == 0:
        raise InvalidDataError("mst-empty", f"no keys at layer {layer}")
    return Node(layer, left, [], [])


def _read_entries(raw_entries: Any, layer: int) -> tuple[list[Entry], list[bytes | None]]:
    """Rebuild the keys. Anything of a wrong type raises one of the errors that `read_node` turns into `mst-shape`."""
    floor, ceiling = _LAYER_FLOORS[layer], _LAYER_CEILINGS[layer]
    entries: list[Entry] = []
    rights: list[bytes | None] = []
    has_rights = False
    key = b""
    for entry in raw_entries:
        suffix, shared, right, cid = entry["k"], entry["p"], entry["t"], entry["v"]
        if type(shared) is not int or len(entry) != 4 or not cid.startswith(DAG_CBOR_PREFIX) or len(cid) != CID_BYTES:
            raise InvalidDataError("mst-shape", "not the fields of an entry")
        if not 0 <= shared <= len(key):
            raise InvalidDataError("mst-prefix", f"{shared} bytes shared with a key of {len(key)}")
        # The next bytes tell both: that the keys rise, and that the shared prefix is as long as it can be.
        if not suffix or (shared < len(key) and key[shared] >= suffix[0]):
            raise InvalidDataError("mst-order", f"behind {key[:200]!r}")
        key = key[:shared] + suffix
        if not floor <= sha256(key).digest() < ceiling:
            raise InvalidDataError("mst-height", f"{key[:200]!r} is not of layer {layer}")
        entries.append((key, cid))
        rights.append(right)
        if right is not None:
            check_link(right)
            has_rights = True
    return entries, rights if has_rights else []


def encode_entry(previous: bytes, key: bytes, cid: bytes, right: bytes | None) -> bytes:
    """Write one entry of a node; `previous` is the key before it, empty for the first.

    By hand, since libipld could take a key for a link and wants dicts to be made first.
    """
    shared = common_prefix_length(previous, key)
    suffix = key[shared:]
    pieces = (
        b"\xa4\x61k",
        header(BYTES, len(suffix)),
        suffix,
        b"\x61p",
        header(0, shared),
        b"\x61t",
        link(right),
        b"\x61v",
        LINK_HEAD,
        cid,
    )
    return b"".join(pieces)


def encode_node(
    left: bytes | None, entries: Iterable[tuple[bytes, bytes, bytes | None]], write: EncodeEntry = encode_entry
) -> bytes:
    """Write a node from (key, record CID, right subtree) triples, ascending; `write` may remember entries."""
    pieces: list[bytes] = []
    previous = b""
    for key, cid, right in entries:
        pieces.append(write(previous, key, cid, right))
        previous = key
    return b"".join((b"\xa2\x61e", header(ARRAY, len(pieces)), *pieces, b"\x61l", link(left)))
