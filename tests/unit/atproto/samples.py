"""A small repository made by hand, for the tests of this folder and the property tests."""

from dataclasses import dataclass

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import Commit, encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.tid import int_to_tid

DID = "did:plc:7iza6de2dwap2sbkpav7c6c6"
REV = "3jzfcijpj2z2a"
KEY = PrivateKey.from_bytes("k256", b"\x11" * 32)
COLLECTIONS = (b"app.bsky.feed.like", b"app.bsky.feed.post", b"app.bsky.graph.follow")


@dataclass(frozen=True, slots=True)
class Sample:
    """A repository in all its forms; `blocks` are those of the CAR, in its order."""

    car: bytes
    root: bytes
    commit: Commit
    entries: list[mst.Entry]
    blocks: dict[bytes, bytes]


def sample_repository(records: int) -> Sample:
    """Make a signed repository of so many records."""
    values = {
        COLLECTIONS[number % 3] + b"/" + int_to_tid((1 << 60) + number * 7_919_003).encode(): {
            "$type": "x",
            "n": number,
        }
        for number in range(records)
    }
    records_by_cid = {cid_of(encode(value)): encode(value) for value in values.values()}
    entries = sorted((key, cid_of(encode(value))) for key, value in values.items())
    tree = mst.build(entries)
    commit = sign_commit(DID, REV, tree.root, KEY)
    block = encode_commit(commit)
    blocks = {cid_of(block): block, **tree.blocks, **records_by_cid}
    return Sample(write_car(cid_of(block), blocks.items()), cid_of(block), commit, entries, blocks)
