"""A whole tree read in the order of its keys, with everything proven that its root's CID does not prove already.

Iterative, with a stack that holds at most one path of nodes. It must end on any input: layers fall by one from a node
to its subtrees, so no path is longer than 129 nodes and no cycle is possible; keys must rise over the whole walk and
every node below the root leads to a key, so no subtree is read a second time without `mst-order`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import lru_cache

from zeppelin_pipeline.atproto.mst.node import Entry, GetBlock, Node, load_node
from zeppelin_pipeline.atproto.syntax import is_nsid
from zeppelin_pipeline.errors import InvalidDataError

MAX_KEY_BYTES = 1024

KEY_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~.:-"
_MAX_RECORD_KEY_BYTES = 512
# A subtree still to be read (CID, layer), or entries still to be given.
_Pending = tuple[bytes, int | None] | list[Entry]


def walk(root: bytes, get_block: GetBlock) -> Iterator[Entry]:
    """Give (key, record CID) of a whole tree, ascending.

    Raises:
        InvalidDataError: `mst-missing-block`, `mst-shape`, `mst-prefix`, `mst-order`, `mst-height`, `mst-empty`,
            `mst-key`; raised when the walk comes to the fault, so what was given before it is not proven until the
            walk has ended.
    """
    for run in walk_runs(root, get_block):
        check_keys([key for key, _cid in run])
        yield from run


def walk_runs(root: bytes, get_block: GetBlock) -> Iterator[list[Entry]]:
    """Like `walk`, in runs of neighbours, and without the check of key syntax: `check_keys` takes many keys at once."""
    last_key = b""
    pending: list[_Pending] = [(root, None)]
    while pending:
        item = pending.pop()
        if isinstance(item, tuple):
            node = load_node(item[0], item[1], get_block)
            if node.left is not None or node.rights:
                pending.extend(reversed(list(_parts(node))))
                continue
            item = node.entries
            if not item:
                continue
        if item[0][0] <= last_key:
            raise InvalidDataError("mst-order", f"{item[0][0][:200]!r} behind {last_key[:200]!r}")
        last_key = item[-1][0]
        yield item


def _parts(node: Node) -> Iterable[_Pending]:
    below = None if node.layer is None else node.layer - 1
    if node.left is not None:
        yield node.left, below
    run: list[Entry] = []
    for entry, right in zip(node.entries, node.rights or [None] * len(node.entries), strict=True):
        run.append(entry)
        if right is not None:
            yield run
            yield right, below
            run = []
    if run:
        yield run


def check_keys(keys: list[bytes]) -> None:
    """Refuse keys that are not `collection/rkey` (`mst-key`). The keys must rise.

    In rising order all keys of a collection are neighbours, and one look is enough for what they share.
    """
    if b"".join(keys).translate(None, KEY_CHARACTERS) != b"/" * len(keys):
        raise InvalidDataError(
            "mst-key", f"characters, or slashes, that no key has, between {keys[0][:200]!r} and the next"
        )
    start = 0
    while start < len(keys):
        head = keys[start][: keys[start].find(b"/") + 1]
        # The byte behind the slash, as the end of what starts with the collection and a slash.
        end = bisect_left(keys, head[:-1] + b"0", start)
        longest = max(map(len, keys[start:end]), default=0)
        is_named = is_collection_head(head) and head != keys[start] and longest <= MAX_KEY_BYTES
        if not is_named or longest - len(head) > _MAX_RECORD_KEY_BYTES or _has_dots(keys, head, start, end):
            raise InvalidDataError("mst-key", f"among the keys of {head[:200]!r}")
        start = end


def _has_dots(keys: list[bytes], head: bytes, start: int, end: int) -> bool:
    at = bisect_left(keys, head + b".", start, end)
    return any(key in {head + b".", head + b".."} for key in keys[at : min(at + 2, end)])


@lru_cache(maxsize=4096)
def is_collection_head(head: bytes) -> bool:
    """Whether the bytes are an NSID and a slash."""
    return head.endswith(b"/") and head.isascii() and is_nsid(head[:-1].decode("ascii"))
