"""Which live commits follow on what is held of a repository; no I/O.

A commit follows when it names the held rev and root as those before it, so that the operations between are all known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.atproto.mst import EMPTY_ROOT

#: The root of a tree without entries, its 32 bytes of SHA-256: what the first commit of a repository follows on.
EMPTY_TREE: Final = EMPTY_ROOT.removeprefix(DAG_CBOR_PREFIX)


@dataclass(frozen=True, slots=True)
class Held:
    """What is held of a repository: nothing at all where `rev` is null.

    Attributes:
        rev: as its key.
        data_cid: the root, 32 bytes.
        records: how many the repository has at that rev.
    """

    rev: int | None
    data_cid: bytes | None
    records: int


@dataclass(frozen=True, slots=True)
class Step:
    """A live commit, as far as it tells where the repository is.

    Attributes:
        rev: as its key.
        since: the rev before it; None for the first commit of a repository.
        prev_data_cid: the root before it as inverting its operations gave it, 32 bytes; None where nothing told.
        data_cid: the root, 32 bytes.
        is_sync: a `#sync`, which has no operations.
        records: records that it adds, less those that it removes.
    """

    rev: int
    since: int | None
    prev_data_cid: bytes | None
    data_cid: bytes
    is_sync: bool
    records: int


def follows(held: Held, step: Step) -> bool:
    """Whether nothing is missing between what is held and the commit."""
    if step.is_sync:
        return step.data_cid == held.data_cid
    if held.rev is None:
        return step.since is None and step.prev_data_cid == EMPTY_TREE
    return step.since == held.rev and step.prev_data_cid == held.data_cid


def advance(held: Held, steps: Sequence[Step]) -> tuple[Held, int]:
    """Follow the commits, in order of their revs, up to the first gap.

    Returns:
        What is held then, and how many of them were followed.
    """
    for number, step in enumerate(steps):
        if not follows(held, step):
            return held, number
        held = Held(step.rev, step.data_cid, held.records + step.records)
    return held, len(steps)
