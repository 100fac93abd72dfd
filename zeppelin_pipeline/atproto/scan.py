"""A repository verified whole as by `repository.open_repository`, but by kernels and as arrays.

Where the kernels give up, that function decides. Nothing here is an object for each record: 50 to 60 bytes of memory a
record beside the CAR itself.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from zeppelin_pipeline.atproto.car import DEFAULT_MAX_BLOCKS, CarData, read_header, single_root
from zeppelin_pipeline.atproto.commit import Commit, decode_commit
from zeppelin_pipeline.atproto.kernels.frames import as_bytes, find_block, read_frames
from zeppelin_pipeline.atproto.kernels.tree import walk_tree
from zeppelin_pipeline.atproto.mst.walk import is_collection_head
from zeppelin_pipeline.atproto.repository import Repository, open_repository

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

CAREFUL_MAX_BLOCKS: Final = 500_000
"""What the careful way, with objects of 500 bytes a block, may hold: 250 MB beside the CAR."""


@dataclass(frozen=True, slots=True)
class Run:
    """The neighbouring entries of one collection: `first` to `last`, the latter not included."""

    collection: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ScannedRepository:
    """A repository whose CAR is complete and whole.

    Attributes:
        commit: the commit at the root; its signature is not checked.
        commit_cid: its CID.
        commit_block: its bytes.
        data: the whole CAR.
        keys: the keys of all entries, ascending, one behind the other.
        key_offsets: key i is `keys[key_offsets[i]:key_offsets[i + 1]]`.
        starts: where each entry's record starts in `data`; the 36 bytes of its CID are before it.
        ends: where it ends.
        runs: the entries by collection, in their order.
    """

    commit: Commit
    commit_cid: bytes
    commit_block: bytes
    data: Bytes
    keys: Bytes
    key_offsets: Places
    starts: Places
    ends: Places
    runs: tuple[Run, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def key(self, entry: int) -> bytes:
        """The key of an entry."""
        return self.keys[self.key_offsets[entry] : self.key_offsets[entry + 1]].tobytes()

    def record_bytes(self, entry: int) -> bytes:
        """The bytes of an entry's record."""
        return self.data[self.starts[entry] : self.ends[entry]].tobytes()


def scan_repository(
    car: CarData, max_blocks: int = DEFAULT_MAX_BLOCKS, careful_max_blocks: int = CAREFUL_MAX_BLOCKS
) -> ScannedRepository:
    """Read and verify a repository's CAR.

    Args:
        car: the whole file, which is kept, not copied.
        max_blocks: bounds the index of 40 bytes a block.
        careful_max_blocks: bounds that of a repository of which the kernels cannot make anything, mostly since it is
            not valid. One with more blocks is `car-blocks`, whatever else may be wrong with it.

    Raises:
        InvalidDataError: as `open_repository`.
    """
    scanned = _scan(car, max_blocks)
    if scanned is not None:
        return scanned
    return _from_repository(open_repository(car, min(max_blocks, careful_max_blocks)))


def _scan(car: CarData, max_blocks: int) -> ScannedRepository | None:
    roots, at = read_header(car)
    root = single_root(roots)
    data = as_bytes(car)
    frames = read_frames(data, at, max_blocks)
    if frames is None:
        return None
    place = find_block(frames, root)
    if place < 0:
        return None
    commit_block = data[frames.starts[place] : frames.ends[place]].tobytes()
    commit = decode_commit(commit_block)
    tree_root = find_block(frames, commit.data)
    tree = walk_tree(frames, tree_root) if tree_root >= 0 else None
    runs = _runs(tree.keys, tree.offsets, tree.runs) if tree else None
    if tree is None or runs is None:
        return None
    starts, ends = frames.starts[tree.records], frames.ends[tree.records]
    return ScannedRepository(commit, root, commit_block, data, tree.keys, tree.offsets, starts, ends, runs)


def _runs(keys: Bytes, offsets: Places, firsts: Places) -> tuple[Run, ...] | None:
    """The runs that start at the given entries; null when a collection is no NSID."""
    runs: list[Run] = []
    for first, last in pairwise([*firsts.tolist(), len(offsets) - 1]):
        key = keys[offsets[first] : offsets[first + 1]].tobytes()
        head = key[: key.index(b"/") + 1]
        if not is_collection_head(head):
            return None
        runs.append(Run(head[:-1].decode("ascii"), first, last))
    return tuple(runs)


def _from_repository(repository: Repository) -> ScannedRepository:
    """The same as arrays, of what the careful way has read."""
    keys = [key for key, _cid in repository.entries]
    heads = [key[: key.index(b"/") + 1] for key in keys]
    firsts = [place for place, head in enumerate(heads) if place == 0 or head != heads[place - 1]]
    spans = np.array([repository.blocks[cid] for _key, cid in repository.entries], np.int64).reshape(-1, 2)
    start, end = repository.blocks[repository.commit_cid]
    return ScannedRepository(
        commit=repository.commit,
        commit_cid=repository.commit_cid,
        commit_block=bytes(repository.data[start:end]),
        data=as_bytes(repository.data),
        keys=as_bytes(b"".join(keys)),
        key_offsets=np.cumsum([0, *map(len, keys)], dtype=np.int64),
        starts=np.ascontiguousarray(spans[:, 0]),
        ends=np.ascontiguousarray(spans[:, 1]),
        runs=tuple(
            Run(heads[first][:-1].decode("ascii"), first, last) for first, last in pairwise([*firsts, len(keys)])
        ),
    )
