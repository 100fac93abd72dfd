"""One fetched repository, verified from the account's signature to every record's block; nothing is written here."""

from collections.abc import Iterator
from typing import Final

from zeppelin_pipeline.atproto.car import read_car
from zeppelin_pipeline.atproto.commit import Commit, decode_commit, verify_commit
from zeppelin_pipeline.atproto.mst import walk
from zeppelin_pipeline.atproto.repository import Repository, open_repository
from zeppelin_pipeline.atproto.syntax import is_tid
from zeppelin_pipeline.atproto.tid import tid_micros
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.identity.documents import DidDocument

#: A rev further ahead of our clock than this is refused (the sync specification's bound).
MAX_REV_AHEAD_MICROS: Final = 5 * 60 * 1_000_000


def verify_repository(car: bytes, document: DidDocument, fetched_at_micros: int) -> Repository:
    """Opens a repository whose every block, tree and signature is right, and which is the account's own.

    Args:
        car: as served.
        document: the account's DID document.
        fetched_at_micros: when it was served; a rev may be 5 minutes ahead of it.

    Raises:
        InvalidDataError: with the reason; `open_repository`'s, or `commit-did`, `rev-invalid`, `rev-in-future`,
            `did-no-signing-key`, `signature-invalid`, or the key's own.
    """
    repository = open_repository(car)
    commit = repository.commit
    if commit.did != document.did:
        raise InvalidDataError("commit-did", f"{commit.did!r} in the repository of {document.did}")
    _check_rev(commit, fetched_at_micros)
    if not verify_commit(commit, document.public_key()):
        raise InvalidDataError("signature-invalid", f"rev {commit.rev}, key {document.signing_key}")
    return repository


def _check_rev(commit: Commit, fetched_at_micros: int) -> None:
    if not is_tid(commit.rev):
        raise InvalidDataError("rev-invalid", repr(commit.rev[:200]))
    if tid_micros(commit.rev) > fetched_at_micros + MAX_REV_AHEAD_MICROS:
        raise InvalidDataError("rev-in-future", commit.rev)


def count_entries(car: bytes) -> int:
    """How many record entries a damaged repository can still be seen to have: those before its first fault."""
    entries = 0
    try:
        roots, framed = read_car(car)
        blocks = _readable_blocks(framed)
        start, end = blocks[roots[0]]
        commit = decode_commit(car[start:end])
        for _entry in walk(commit.data, lambda cid: _slice(car, blocks.get(cid))):
            entries += 1
    except (InvalidDataError, KeyError, IndexError):
        return entries  # the fault itself is the repository's reason already
    return entries


def _readable_blocks(framed: Iterator[tuple[bytes, int, int]]) -> dict[bytes, tuple[int, int]]:
    blocks: dict[bytes, tuple[int, int]] = {}
    try:
        for cid, start, end in framed:
            blocks[cid] = (start, end)
    except InvalidDataError:
        return blocks  # cut off: what came before it is still there
    return blocks


def _slice(car: bytes, place: tuple[int, int] | None) -> bytes | None:
    return None if place is None else car[place[0] : place[1]]
