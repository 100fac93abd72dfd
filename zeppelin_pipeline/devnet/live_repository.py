"""One repository that has changed since the network started: its tree, commits, and CAR whole or since a revision."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import RLock
from typing import Final

from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.devnet.store import StoredRepository
from zeppelin_pipeline.devnet.tree import Tree

#: Commits that `car_since` can go back; for a revision before them it gives the whole repository.
_REMEMBERED_COMMITS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Write:
    """One change: a record put under a key, or (block None) taken away."""

    key: bytes
    block: bytes | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One change as a commit states it: the CIDs before and after, None for absence."""

    key: bytes
    cid: bytes | None
    prev: bytes | None

    @property
    def action(self) -> str:
        """`create`, `update` or `delete`."""
        if self.cid is None:
            return "delete"
        return "create" if self.prev is None else "update"


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """One commit, with all that its event carries.

    Attributes:
        rev: its revision.
        since: the revision before it.
        head: CID of the commit.
        prev_data: root of the tree before it.
        operations: what changed.
        blocks: a CAR of the commit, the new records, the new nodes, and the nodes that undo the operations.
    """

    rev: str
    since: str
    head: bytes
    prev_data: bytes
    operations: tuple[Operation, ...]
    blocks: bytes


class LiveRepository:
    """A repository that goes on from its seeded state. A commit and a reading of it wait for each other (`lock`)."""

    def __init__(self, did: str, stored: StoredRepository, key: PrivateKey, lock: RLock) -> None:
        self.did = did
        self._lock = lock
        self.rev = stored.rev
        self.head = stored.head
        self._key = key
        car = stored.car()
        opened = open_repository(car)
        start, end = opened.blocks[stored.head]
        self._commit = bytes(car[start:end])
        self._blocks = {entry[0]: opened.record_bytes(entry) for entry in opened.entries}
        self._history: deque[tuple[str, tuple[Operation, ...]]] = deque()
        self._history_begins_at = stored.rev
        self.entries = dict(opened.entries)
        self.tree = Tree(opened.entries)
        assert self.tree.root_cid == opened.commit.data, "the changing tree is the built one"

    def commit(self, writes: Iterable[Write], rev: str) -> LiveCommit:
        """Apply changes to different keys as one commit. KeyError when a record to be deleted is not there."""
        with self._lock:
            return self._commit_writes(writes, rev)

    def commit_car(self) -> bytes:
        """A CAR of the commit alone: the `blocks` of a `#sync`."""
        return write_car(self.head, [(self.head, self._commit)])

    def car(self) -> bytes:
        """The whole repository."""
        with self._lock:
            return write_car(self.head, self._all_blocks().items())

    def car_since(self, since: str) -> bytes:
        """The blocks that came after a revision; all of them when it is before what is remembered."""
        with self._lock:
            return self.car() if since < self._history_begins_at else self._blocks_since(since)

    def records(self) -> list[tuple[bytes, bytes, bytes]]:
        """Key, CID and block of all records, in the order of keys."""
        with self._lock:
            return [(key, cid, self._blocks[key]) for key, cid in sorted(self.entries.items())]

    def _commit_writes(self, writes: Iterable[Write], rev: str) -> LiveCommit:
        since, prev_data = self.rev, self.tree.root_cid
        operations = tuple(self._apply(write) for write in writes)
        self._commit = encode_commit(sign_commit(self.did, rev, self.tree.root_cid, self._key))
        self.head, self.rev = cid_of(self._commit), rev
        self._remember(rev, operations)
        blocks = {self.head: self._commit}
        for operation in operations:
            blocks |= {node.cid: node.block for node in self.tree.nodes_around(operation.key)}
        blocks |= {op.cid: self._blocks[op.key] for op in operations if op.cid is not None}
        return LiveCommit(rev, since, self.head, prev_data, operations, write_car(self.head, blocks.items()))

    def _remember(self, rev: str, operations: tuple[Operation, ...]) -> None:
        self._history.append((rev, operations))
        if len(self._history) > _REMEMBERED_COMMITS:
            self._history_begins_at, _ = self._history.popleft()

    def _blocks_since(self, since: str) -> bytes:
        old_entries = self._entries_at(since)
        old = {node.cid for node in Tree(sorted(old_entries.items())).nodes()} | set(old_entries.values())
        blocks = self._all_blocks() if since < self.rev else {}
        return write_car(self.head, [(cid, block) for cid, block in blocks.items() if cid not in old])

    def _apply(self, write: Write) -> Operation:
        prev = self.entries.get(write.key)
        if write.block is None:
            self.tree.delete(write.key)
            del self._blocks[write.key], self.entries[write.key]
            return Operation(write.key, None, prev)
        cid = cid_of(write.block)
        self._blocks[write.key] = write.block
        self.entries[write.key] = cid
        self.tree.put(write.key, cid)
        return Operation(write.key, cid, prev)

    def _all_blocks(self) -> dict[bytes, bytes]:
        nodes = {node.cid: node.block for node in self.tree.nodes()}
        return {self.head: self._commit} | nodes | {cid: block for _, cid, block in self.records()}

    def _entries_at(self, rev: str) -> dict[bytes, bytes]:
        entries = dict(self.entries)
        for at, operations in reversed(self._history):
            if at <= rev:
                break
            for operation in reversed(operations):
                if operation.prev is None:
                    del entries[operation.key]
                else:
                    entries[operation.key] = operation.prev
        return entries
