"""What a message proves by itself, but for its signature: that its operations are all that changed.

Pure, and the same in whatever order messages are verified. Whether a commit follows on what is held of its repository
is told later, by the transaction that applies it. Specification: Sync, "Firehose Validation".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zeppelin_pipeline.atproto.car import read_header, single_root
from zeppelin_pipeline.atproto.commit import MAX_REV_AHEAD_MICROS, Commit, decode_commit
from zeppelin_pipeline.atproto.kernels.frames import as_bytes, find_block, read_frames
from zeppelin_pipeline.atproto.kernels.inversion import undo_change
from zeppelin_pipeline.atproto.mst import EMPTY_ROOT, Change, invert
from zeppelin_pipeline.atproto.repository import verified_blocks
from zeppelin_pipeline.atproto.tid import tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.firehose.messages import CommitMessage, SyncMessage

#: A commit has a node for each layer and operation; this bounds the index of a hostile one.
_MAX_BLOCKS: Final = 20_000


@dataclass(frozen=True, slots=True)
class ProvenHead:
    """A commit whose message agrees with it; its signature is checked elsewhere.

    Attributes:
        commit: as signed.
        block: its bytes.
        records: for each change of the message, in its order, the new record's bytes; null for a deletion. Empty for
            a `#sync`.
        prev_data: the root before it, proven by inverting the operations; null for a `#sync`.
    """

    commit: Commit
    block: bytes
    records: tuple[bytes | None, ...]
    prev_data: bytes | None


def prove_commit(message: CommitMessage, now_micros: int) -> ProvenHead:
    """Check all of a `#commit` but its signature.

    Args:
        message: as read.
        now_micros: our clock.

    Raises:
        InvalidDataError: the reasons of `verified_blocks`, `decode_commit` and `invert`; `commit-other-did`,
            `commit-other-rev`, `commit-other-root` (the message is not about the commit in its blocks),
            `rev-in-future`, `rev-not-after-since`, `prev-data-missing`, `prev-data-mismatch`,
            `record-missing-block`. A record that is too large is a matter of that record alone.
    """
    blocks = _Blocks(message.blocks)
    if blocks.root != message.commit:
        raise InvalidDataError("commit-other-root", message.did)
    block, commit = _read_head(blocks.get(blocks.root), message.did, message.rev, now_micros)
    if message.since is not None and message.since >= message.rev:
        raise InvalidDataError("rev-not-after-since", commit.rev)
    prev_data = _expected_root(message)
    if blocks.undo(commit.data, message.changes) != prev_data:
        raise InvalidDataError("prev-data-mismatch", commit.rev)
    records = tuple(_record(blocks, change) for change in message.changes)
    return ProvenHead(commit, block, records, prev_data)


def prove_sync(message: SyncMessage, now_micros: int) -> ProvenHead:
    """Check all of a `#sync` but its signature; raises as `prove_commit`."""
    blocks = _Blocks(message.blocks)
    block, commit = _read_head(blocks.get(blocks.root), message.did, message.rev, now_micros)
    return ProvenHead(commit, block, (), None)


class _Blocks:
    """The blocks of a message, their hashes proven: by kernels, or by the careful code where anything is unusual.

    Attributes:
        root: the CID that the CAR names.
    """

    __slots__ = ("_car", "_frames", "_places", "root")

    def __init__(self, car: bytes) -> None:
        roots, at = read_header(car)
        self.root = single_root(roots)
        self._car = car
        self._frames = read_frames(as_bytes(car), at, _MAX_BLOCKS)
        self._places = {} if self._frames else verified_blocks(car, _MAX_BLOCKS)[1]

    def get(self, cid: bytes) -> bytes | None:
        """A block's bytes; null when there is none of that CID."""
        if self._frames is None:
            place = self._places.get(cid)
            return None if place is None else self._car[place[0] : place[1]]
        number = find_block(self._frames, cid)
        return None if number < 0 else self._car[self._frames.starts[number] : self._frames.ends[number]]

    def undo(self, root: bytes, changes: Sequence[Change]) -> bytes:
        """The root of the tree before changes; raises as `mst.invert`."""
        if self._frames is not None and len(changes) == 1:
            number = find_block(self._frames, root)
            before = undo_change(self._frames, number, changes[0]) if number >= 0 else None
            if before is not None:
                return before
        return invert(root, changes, self.get)


def _read_head(block: bytes | None, did: str, rev: int, now_micros: int) -> tuple[bytes, Commit]:
    if block is None:
        raise InvalidDataError("commit-missing-block", did)
    commit = decode_commit(block)
    if commit.did != did:
        raise InvalidDataError("commit-other-did", f"{commit.did} in a message of {did}")
    if tid_to_int(commit.rev) != rev:
        raise InvalidDataError("commit-other-rev", commit.rev)
    if tid_micros(rev) > now_micros + MAX_REV_AHEAD_MICROS:
        raise InvalidDataError("rev-in-future", commit.rev)
    return block, commit


def _expected_root(message: CommitMessage) -> bytes:
    if message.prev_data is not None:
        return message.prev_data
    if message.since is None:
        return EMPTY_ROOT
    raise InvalidDataError("prev-data-missing", message.did)


def _record(blocks: "_Blocks", change: Change) -> bytes | None:
    if change.new_cid is None:
        return None
    block = blocks.get(change.new_cid)
    if block is None:
        raise InvalidDataError("record-missing-block", f"{change.key[:200]!r}")
    return block
