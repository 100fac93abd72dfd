"""One fetched repository, verified from the account's signature to every record's block; nothing is written here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from zeppelin_pipeline.atproto.car import CarData, read_car, single_root
from zeppelin_pipeline.atproto.commit import MAX_REV_AHEAD_MICROS, Commit, decode_commit, verify_commit
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.mst import walk
from zeppelin_pipeline.atproto.scan import CAREFUL_MAX_BLOCKS, ScannedRepository, scan_repository
from zeppelin_pipeline.atproto.tid import tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.identity.documents import DidDocument


@dataclass(frozen=True, slots=True)
class VerifiedRepository:
    """A repository that is proven.

    Attributes:
        content: its records, tree and commit.
        is_by_former_key: the account's key of the commit's time signed it, and that is not the key that it has now.
    """

    content: ScannedRepository
    is_by_former_key: bool


def verify_repository(
    car: CarData, document: DidDocument, former_keys: Sequence[str], fetched_at_micros: int
) -> VerifiedRepository:
    """Opens a repository whose every block, tree and signature is right, and which is the account's own.

    Args:
        car: as served.
        document: the account's DID document.
        former_keys: multibase; keys that were the account's when the commit was made, by its rev.
        fetched_at_micros: when it was served; a rev may be 5 minutes ahead of it.

    Raises:
        InvalidDataError: with the reason: those of `scan_repository` and of `DidDocument.public_key`,
            `commit-other-did`, `rev-in-future`, `signature-invalid`.
    """
    repository = scan_repository(car)
    commit = repository.commit
    if commit.did != document.did:
        raise InvalidDataError("commit-other-did", f"{commit.did!r} in the repository of {document.did}")
    if tid_micros(tid_to_int(commit.rev)) > fetched_at_micros + MAX_REV_AHEAD_MICROS:
        raise InvalidDataError("rev-in-future", commit.rev)
    if verify_commit(commit, document.public_key()):
        return VerifiedRepository(repository, is_by_former_key=False)
    if _is_by_any(commit, former_keys):
        return VerifiedRepository(repository, is_by_former_key=True)
    raise InvalidDataError("signature-invalid", f"rev {commit.rev}, key {document.signing_key}")


def _is_by_any(commit: Commit, keys: Sequence[str]) -> bool:
    for key in keys:
        try:
            if verify_commit(commit, PublicKey.from_multibase(key)):
                return True
        except InvalidDataError:
            continue  # of a curve that is not the protocol's: it proves nothing
    return False


def count_entries(car: CarData) -> int:
    """How many record entries a damaged repository can still be seen to have: those before its first fault.

    Of a huge one it is those that the first blocks, as many as may be held, lead to without a gap.
    """
    entries = 0
    try:
        roots, frames = read_car(car)
        blocks = _readable_blocks(frames)
        commit = decode_commit(_cut(car, blocks, single_root(roots)) or b"")
        for _ in walk(commit.data, lambda cid: _cut(car, blocks, cid)):
            entries += 1
    except InvalidDataError:
        return entries  # the repository's reason is known already
    return entries


def _readable_blocks(frames: Iterator[tuple[bytes, int, int]]) -> dict[bytes, tuple[int, int]]:
    blocks: dict[bytes, tuple[int, int]] = {}
    try:
        for cid, start, end in islice(frames, CAREFUL_MAX_BLOCKS):
            blocks[cid] = (start, end)
    except InvalidDataError:
        return blocks  # cut off: what came before is still there
    return blocks


def _cut(car: CarData, blocks: dict[bytes, tuple[int, int]], cid: bytes) -> bytes | None:
    place = blocks.get(cid)
    return None if place is None else bytes(car[place[0] : place[1]])
