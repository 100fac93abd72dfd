"""Records a second from CAR files to proven entries, one core, against `libipld.decode_car` of the same files.

`python -m bench.decode [repositories] [records]`. Three steps prove more and more: framing; every block's hash; all of
`open_repository`. Walking, decoding each record, and building the tree again stand beside them. Times are CPU seconds.
The rounds interleave the steps, so that a busy machine slows all alike; the ratio is the median of the rounds' ratios.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable

import libipld

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.car import read_car, write_car
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import decode, encode
from zeppelin_pipeline.atproto.repository import open_repository, verified_blocks
from zeppelin_pipeline.atproto.tid import int_to_tid

ROUNDS = 9
DID = "did:plc:7iza6de2dwap2sbkpav7c6c6"
COLLECTIONS = {
    b"app.bsky.feed.like": 62,
    b"app.bsky.graph.follow": 19,
    b"app.bsky.feed.post": 12,
    b"app.bsky.feed.repost": 7,
}


def record(rng: random.Random) -> bytes:
    subject = {
        "cid": cid_to_text(cid_of(rng.randbytes(8))),
        "uri": f"at://{DID}/app.bsky.feed.post/{int_to_tid(rng.getrandbits(60))}",
    }
    return encode({"$type": "app.bsky.feed.like", "subject": subject, "createdAt": "2024-01-02T03:04:05.678Z"})


def repository_car(rng: random.Random, records: int, key: PrivateKey) -> bytes:
    names = rng.choices(list(COLLECTIONS), list(COLLECTIONS.values()), k=records)
    content = {name + b"/" + int_to_tid(rng.getrandbits(60)).encode(): record(rng) for name in names}
    tree = mst.build(sorted((path, cid_of(block)) for path, block in content.items()))
    commit = encode_commit(sign_commit(DID, int_to_tid(1 << 60), tree.root, key))
    blocks = {cid_of(commit): commit, **tree.blocks, **{cid_of(block): block for block in content.values()}}
    return write_car(cid_of(commit), blocks.items())


def steps(cars: list[bytes]) -> dict[str, Callable[[], None]]:
    repositories = [open_repository(car) for car in cars]
    records = [repository.record_bytes(entry) for repository in repositories for entry in repository.entries]

    def each(action: Callable[[bytes], object]) -> Callable[[], None]:
        def run() -> None:
            for car in cars:
                action(car)

        return run

    def walk() -> None:
        for repository in repositories:
            for _run in mst.walk_runs(repository.commit.data, repository.get_block):
                pass

    def build() -> None:
        for repository in repositories:
            mst.root_of(repository.entries)

    def decode_records() -> None:
        for block in records:
            decode(block)

    return {
        "libipld.decode_car": each(libipld.decode_car),
        "framing": each(lambda car: sum(1 for _frame in read_car(car)[1])),
        "framing, hashes": each(verified_blocks),
        "MST walk": walk,
        "open_repository": each(open_repository),
        "dag_cbor.decode": decode_records,
        "mst.root_of": build,
    }


def main() -> None:
    repositories, records = (
        int(sys.argv[index]) if len(sys.argv) > index else default for index, default in ((1, 60), (2, 300))
    )
    rng, key = random.Random(1), PrivateKey.from_bytes("k256", b"\x11" * 32)
    cars = [repository_car(rng, records, key) for _ in range(repositories)]
    total = repositories * records
    size_bytes = sum(map(len, cars)) / total
    print(f"{repositories} repositories of {records} records, {size_bytes:.0f} bytes a record, {ROUNDS} rounds")
    seconds: dict[str, list[float]] = {}
    actions = steps(cars)
    for _ in range(ROUNDS):
        for name, action in actions.items():
            started = time.process_time()
            action()
            seconds.setdefault(name, []).append(time.process_time() - started)
    base = seconds["libipld.decode_car"]
    for name, times in seconds.items():
        ratio = statistics.median(b / t for b, t in zip(base, times, strict=True))
        best, middle = total / min(times), total / statistics.median(times)
        print(f"{name:20} records/s: {best:>10,.0f} best {middle:>10,.0f} median   ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
