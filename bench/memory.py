"""How much memory extraction takes for one huge repository: the worst that a shard can hold.

The repository is made here, as the devnet makes none of that size: likes, follows and posts, signed, in a pack of its
own. Making it and extracting it are processes of their own, so that the peak is of extraction alone.

    python -m bench.memory --records 1000000
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.extract import SHARD, apart, peak_bytes, timed
from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.pack import FETCHED, PackRow, PackWriter

DID = "did:plc:7iza6de2dwap2sbkpav7c6c6"
REV = int_to_tid(1_700_000_000_000_000 << 10)
POST = "app.bsky.feed.post"
WORDS = (
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
    "he",
    "was",
    "for",
    "on",
    "are",
    "as",
    "with",
    "his",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="records of the repository")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        made = apart(make_pack, folder, options.records)
        run = apart(measure_extraction, folder)
        print(f"one repository of {options.records:,} records, a CAR of {made['car_bytes'] / 1e6:,.0f} MB")
        print(
            f"peak {run['peak_bytes'] / 1e6:,.0f} MB, {run['start_bytes'] / 1e6:,.0f} MB of it before the first byte;"
        )
        print(f"{options.records / run['cpu_seconds']:,.0f} records a second of CPU, {run['cpu_seconds']:.1f} s")


def make_pack(folder: str, records: int) -> dict[str, float]:
    """Writes the pack of one repository."""
    key = PrivateKey.from_bytes("k256", b"\x11" * 32)
    car = repository_car(records, key)
    method = {
        "id": f"{DID}#atproto",
        "type": "Multikey",
        "controller": DID,
        "publicKeyMultibase": key.public_key.to_multibase(),
    }
    document = json.dumps({"id": DID, "verificationMethod": [method]})
    writer = PackWriter(Lake(folder), SHARD)
    writer.add(PackRow(DID, "bench", REV, FETCHED, None, None, datetime.now(UTC), document, None, car))
    writer.flush()
    return {"car_bytes": float(len(car)), "peak_bytes": float(peak_bytes())}


def repository_car(records: int, key: PrivateKey) -> bytes:
    """A CAR of so many records: three likes to a follow and two posts."""
    entries: list[tuple[bytes, bytes]] = []
    blocks: list[tuple[bytes, bytes]] = []
    for path, block in made_records(random.Random(1), records):
        cid = cid_of(block)
        entries.append((path, cid))
        blocks.append((cid, block))
    tree = mst.build(sorted(entries))
    commit = encode_commit(sign_commit(DID, REV, tree.root, key))
    return write_car(cid_of(commit), [(cid_of(commit), commit), *tree.blocks.items(), *blocks])


def made_records(rng: random.Random, records: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and blocks."""
    for number in range(records):
        rkey = int_to_tid((1_650_000_000_000_000 + number * 40_000_000) << 10)
        kind = ("app.bsky.feed.like", "app.bsky.feed.like", "app.bsky.feed.like", "app.bsky.graph.follow", POST, POST)[
            number % 6
        ]
        value = {
            "$type": kind,
            "createdAt": f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}T03:04:05.{number % 1000:03}Z",
        }
        yield f"{kind}/{rkey}".encode(), encode(value | content_of(kind, rng))


def content_of(kind: str, rng: random.Random) -> dict[str, object]:
    """What the record says."""
    if kind == "app.bsky.graph.follow":
        return {"subject": f"did:plc:{''.join(rng.choices('abcdefghijklmnopqrstuvwxyz234567', k=24))}"}
    reference = {
        "cid": cid_to_text(cid_of(rng.randbytes(8))),
        "uri": f"at://{DID}/{POST}/{int_to_tid(rng.getrandbits(60))}",
    }
    if kind == POST:
        return {
            "text": " ".join(rng.choices(WORDS, k=rng.randrange(4, 50))),
            "langs": ["en"],
            "reply": {"root": reference, "parent": reference},
        }
    return {"subject": reference}


def measure_extraction(folder: str) -> dict[str, float]:
    lake = Lake(folder)
    return timed(lambda: extract_shard(lake, SHARD))


if __name__ == "__main__":
    main()
