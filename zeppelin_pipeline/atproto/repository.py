"""A repository in a CAR, verified whole: framing, hashes, commit, tree, and that no record is missing.

Only a walk from the signed root proves that a CAR is complete: one cut off at a block's boundary looks whole. The
signature is not checked here, since it needs the account's key, and no record is decoded, since that is where
validation of records starts.
"""

from dataclasses import dataclass
from hashlib import sha256

from zeppelin_pipeline.atproto.car import DEFAULT_MAX_BLOCKS, CarData, read_frames, read_header, single_root
from zeppelin_pipeline.atproto.cid import CID_BYTES, DAG_CBOR_PREFIX, RAW_PREFIX, cid_to_text
from zeppelin_pipeline.atproto.commit import Commit, decode_commit
from zeppelin_pipeline.atproto.mst.node import Entry
from zeppelin_pipeline.atproto.mst.walk import check_keys, walk_runs
from zeppelin_pipeline.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository whose CAR is complete and whole.

    Attributes:
        commit: the commit at the root; its signature is not checked.
        commit_cid: the CID of the commit.
        entries: (key, record CID), ascending by key.
        blocks: for each CID where its block starts and ends in `data`.
        data: the CAR as it was given.
    """

    commit: Commit
    commit_cid: bytes
    entries: list[Entry]
    blocks: dict[bytes, tuple[int, int]]
    data: CarData

    def get_block(self, cid: bytes) -> bytes | None:
        """Return a block's bytes, null when the CAR has none of that CID."""
        span = self.blocks.get(cid)
        return None if span is None else bytes(self.data[span[0] : span[1]])

    def record_bytes(self, entry: Entry) -> bytes:
        """Return the bytes of an entry's record."""
        start, end = self.blocks[entry[1]]
        return bytes(self.data[start:end])


def open_repository(car: CarData, max_blocks: int = DEFAULT_MAX_BLOCKS) -> Repository:
    """Read and verify a repository's CAR.

    Args:
        car: the whole file. A block that is not reached from the root is checked like the others and otherwise ignored.
        max_blocks: bounds the index, which takes about 250 bytes a block.

    Raises:
        InvalidDataError: the reasons of `read_car`, `car-roots`, `car-blocks`, `block-hash`, `commit-missing-block`,
            those of `decode_commit` and `walk`, and `record-missing-block`.
    """
    root, blocks = verified_blocks(car, max_blocks)
    if root not in blocks:
        raise InvalidDataError("commit-missing-block", cid_to_text(root))

    def get_block(cid: bytes) -> bytes | None:
        span = blocks.get(cid)
        return None if span is None else bytes(car[span[0] : span[1]])

    start, end = blocks[root]
    commit = decode_commit(bytes(car[start:end]))
    entries: list[Entry] = []
    for run in walk_runs(commit.data, get_block):
        entries += run
    check_keys([key for key, _cid in entries])
    for key, cid in entries:
        if cid not in blocks:
            raise InvalidDataError("record-missing-block", f"{key[:200]!r}")
    return Repository(commit, root, entries, blocks, car)


def verified_blocks(car: CarData, max_blocks: int = DEFAULT_MAX_BLOCKS) -> tuple[bytes, dict[bytes, tuple[int, int]]]:
    """Index a CAR with one root, and check every block against its CID; `max_blocks` bounds the distinct ones.

    Raises:
        InvalidDataError: as `car.index_blocks`; `block-hash` when a block is not what its CID says; `car-block-cid`
            for another hash than SHA-256.
    """
    roots, at = read_header(car)
    root = single_root(roots)
    blocks, at = _usual_blocks(car, at, max_blocks)
    for cid, start, end in read_frames(car, at):
        if len(blocks) >= max_blocks and cid not in blocks:
            raise InvalidDataError("car-blocks", f"more than {max_blocks} blocks")
        if sha256(car[start:end]).digest() != cid[4:]:
            raise _hash_error(cid)
        blocks[cid] = start, end
    return root, blocks


def _usual_blocks(car: CarData, at: int, max_blocks: int) -> tuple[dict[bytes, tuple[int, int]], int]:
    """Index the blocks that are what their CIDs say, up to the first frame of an unusual form, or with a fault.

    One loop without calls of our own, over nearly all of nearly all CARs: the general way costs half as much again.

    Returns:
        the index, and where the first frame lies that was not taken.
    """
    blocks: dict[bytes, tuple[int, int]] = {}
    # The last bytes are left to the general way, so that no look ahead leaves the data.
    last = len(car) - CID_BYTES - 2
    while at < last and len(blocks) < max_blocks:
        head, second = car[at], car[at + 1]
        if CID_BYTES <= head < 0x80:
            start, end = at + 1, at + 1 + head
        elif head >= 0x80 and 0 < second < 0x80:
            start = at + 2
            end = at - 0x7E + head + (second << 7)
        else:
            break
        block_start = start + CID_BYTES
        cid = DAG_CBOR_PREFIX + sha256(car[block_start:end]).digest()
        if cid != car[start:block_start]:
            break
        blocks[cid] = block_start, end
        at = end
    if at > len(car):
        raise InvalidDataError("car-truncated", "within a block")
    return blocks, at


def _hash_error(cid: bytes) -> InvalidDataError:
    if len(cid) != CID_BYTES or not cid.startswith((DAG_CBOR_PREFIX, RAW_PREFIX)):
        return InvalidDataError("car-block-cid", f"not a CID of the data model: {cid[:8].hex()}")
    return InvalidDataError("block-hash", cid_to_text(cid))
