"""What a message proves by itself, with the account's key: its signature, and that its operations are all that changed.

Pure, and the same in whatever order messages are verified. Whether a commit follows on what is held of its repository
is told later, by the transaction that applies it. Specification: Sync, "Firehose Validation".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zeppelin_pipeline.atproto.commit import Commit, decode_commit, verify_commit
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.mst import Change, invert, root_of
from zeppelin_pipeline.atproto.repository import verified_blocks
from zeppelin_pipeline.atproto.tid import tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.firehose.messages import CommitMessage, SyncMessage

#: A rev further ahead of our clock than this is refused (the sync specification's bound).
MAX_REV_AHEAD_MICROS: Final = 5 * 60 * 1_000_000
#: What the first commit of a repository follows on.
EMPTY_ROOT: Final = root_of(())
#: A commit has a node for each layer and operation; this bounds the index of a hostile one.
_MAX_BLOCKS: Final = 20_000


@dataclass(frozen=True, slots=True)
class ProvenHead:
    """A commit whose message agrees with it; its signature is checked by `check_signature`.

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
    root, places = verified_blocks(message.blocks, _MAX_BLOCKS)
    blocks = message.blocks

    def get_block(cid: bytes) -> bytes | None:
        place = places.get(cid)
        return None if place is None else blocks[place[0] : place[1]]

    if root != message.commit:
        raise InvalidDataError("commit-other-root", message.did)
    block, commit = _read_head(get_block(root), message.did, message.rev, now_micros)
    if message.since is not None and message.since >= message.rev:
        raise InvalidDataError("rev-not-after-since", commit.rev)
    prev_data = _expected_root(message)
    if invert(commit.data, message.changes, get_block) != prev_data:
        raise InvalidDataError("prev-data-mismatch", commit.rev)
    records = tuple(_record(get_block, change) for change in message.changes)
    return ProvenHead(commit, block, records, prev_data)


def prove_sync(message: SyncMessage, now_micros: int) -> ProvenHead:
    """Check all of a `#sync` but its signature; raises as `prove_commit`."""
    root, places = verified_blocks(message.blocks, _MAX_BLOCKS)
    place = places.get(root)
    head = None if place is None else message.blocks[place[0] : place[1]]
    block, commit = _read_head(head, message.did, message.rev, now_micros)
    return ProvenHead(commit, block, (), None)


def check_signature(commit: Commit, key: PublicKey) -> None:
    """Check that the account's key signed the commit.

    Raises:
        InvalidDataError: `signature-invalid`.
    """
    if not verify_commit(commit, key):
        raise InvalidDataError("signature-invalid", f"{commit.did} at {commit.rev}, by {key.to_multibase()}")


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


def _record(get_block: Callable[[bytes], bytes | None], change: Change) -> bytes | None:
    if change.new_cid is None:
        return None
    block = get_block(change.new_cid)
    if block is None:
        raise InvalidDataError("record-missing-block", f"{change.key[:200]!r}")
    return block
