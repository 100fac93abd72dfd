"""Shards of made-up batches, as extraction would hand them to a load; nothing of the network or the lake."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.keys import tid_of_key

FETCHED_AT = datetime(2026, 11, 1, tzinfo=UTC)
POST = "app.bsky.feed.post"
CID_PREFIX = bytes.fromhex("01711220")


def tid(number: int) -> str:
    """A TID; a higher number gives a later one."""
    return tid_of_key((1 << 60) + number)


def did(number: int) -> str:
    """An account's DID."""
    return f"did:plc:{number:024d}"


def cid(text: str) -> bytes:
    """36 bytes that look like the CID of a block, the same for the same text."""
    return CID_PREFIX + random.Random(text).randbytes(32)


class FakeShard:
    """A shard under construction: repositories, then their records; `batches` gives what a load takes.

    Attributes:
        rows: of each dataset, by the lake's column names; free to be changed.
    """

    def __init__(self, shard: str = "host.test~00000") -> None:
        self.shard = shard
        self.version = 1
        self.rows: dict[str, list[dict[str, Any]]] = {dataset: [] for dataset in RECORD_DATASETS}
        self._repos: dict[str, dict[str, Any]] = {}

    def repository(self, owner: str, rev: int | None = 1, *, hours: int = 0, **changes: Any) -> "FakeShard":
        """A verified repository without records; `hours` later than others it was fetched."""
        row: dict[str, Any] = {
            "did": owner,
            "host": "host.test",
            "state": "synchronized",
            "status": "active",
            "rev": None if rev is None else tid(rev),
            "data_cid": cid(f"{owner} {rev}"),
            "commit": f"commit {owner} {rev}".encode(),
            "records": 0,
            "fetched_at": FETCHED_AT + timedelta(hours=hours),
            "handle": f"{owner[8:]}.test",
            "pds": "https://host.test",
            "signing_key": "zKey",
        }
        self._repos[owner] = row | changes
        self.rows["repo"].append(self._repos[owner])
        return self

    def absent(self, owner: str, status: str, *, hours: int = 0) -> "FakeShard":
        """A repository that its host does not give."""
        return self.repository(owner, hours=hours, state="absent", status=status, reason=status, **NOTHING)

    def invalid(self, owner: str, reason: str, entries: int, *, hours: int = 0, detail: str = "") -> "FakeShard":
        """A repository that was fetched and refused."""
        self.repository(owner, hours=hours, state="invalid", status=None, reason=reason, **NOTHING)
        self._reject(owner, "repository", reason, entries, detail=detail)
        return self

    def like(self, owner: str, rkey: str, subject: tuple[str, str], **changes: Any) -> "FakeShard":
        """A like of a post, (DID, record key)."""
        return self._record("like", owner, rkey, _engagement(subject) | changes)

    def repost(self, owner: str, rkey: str, subject: tuple[str, str], **changes: Any) -> "FakeShard":
        """A repost of a post, (DID, record key)."""
        return self._record("repost", owner, rkey, _engagement(subject) | changes)

    def follow(self, owner: str, rkey: str, subject: str, **changes: Any) -> "FakeShard":
        """A follow of an account."""
        return self._record("follow", owner, rkey, {"subject_did": subject} | changes)

    def block(self, owner: str, rkey: str, subject: str, **changes: Any) -> "FakeShard":
        """A block of an account."""
        return self._record("block", owner, rkey, {"subject_did": subject} | changes)

    def profile(self, owner: str, **changes: Any) -> "FakeShard":
        """The account's profile."""
        return self._record("profile", owner, "self", {"cid": cid(owner), "raw": b"profile"} | changes)

    def post(self, owner: str, rkey: str, **changes: Any) -> "FakeShard":
        """A post."""
        row = {"cid": cid(owner + rkey), "text": "text", "embed": 0, "raw": f"post {rkey}".encode()}
        return self._record("post", owner, rkey, row | changes)

    def list_item(self, owner: str, rkey: str, subject: str, list_rkey: str, **changes: Any) -> "FakeShard":
        """An account on one of the owner's lists."""
        return self._record("list_item", owner, rkey, {"subject_did": subject, "list_rkey": list_rkey} | changes)

    def list_block(self, owner: str, rkey: str, subject: tuple[str, str], **changes: Any) -> "FakeShard":
        """A block of a list, (DID, record key)."""
        return self._record(
            "list_block", owner, rkey, {"subject_did": subject[0], "subject_rkey": subject[1]} | changes
        )

    def made(self, dataset: str, owner: str, rkey: str, **columns: Any) -> "FakeShard":
        """A record of any dataset that keeps the bytes of all its records."""
        return self._record(
            dataset, owner, rkey, {"cid": cid(owner + rkey), "raw": f"{dataset} {rkey}".encode()} | columns
        )

    def threadgate(
        self, owner: str, rkey: str, *lists: tuple[str, str], hidden: list[tuple[str, str]], **changes: Any
    ) -> "FakeShard":
        """A gate of the owner's post of that key: for members of lists, without hidden replies."""
        columns = _pairs("list", lists) | _pairs("hidden", hidden) | {"allow": 8 if lists else 0}
        return self.made("threadgate", owner, rkey, **columns | changes)

    def postgate(self, owner: str, rkey: str, *detached: tuple[str, str], **changes: Any) -> "FakeShard":
        """A gate of the owner's post of that key, with quotes that it left."""
        columns = _pairs("detached", detached) | {"is_embedding_disabled": False}
        return self.made("postgate", owner, rkey, **columns | changes)

    def record(self, owner: str, collection: str, rkey: str, **changes: Any) -> "FakeShard":
        """A record that is kept whole; with a `reason` it is one that failed validation."""
        row = {"collection": collection, "cid": cid(owner + rkey), "raw": b"record", "indexed_at": FETCHED_AT}
        if changes.get("reason"):
            self._reject(owner, "record", changes["reason"], 1, collection=collection, rkey=rkey)
        return self._record("record", owner, rkey, row | changes)

    def batches(self, fingerprint: str = "first", *, batch_rows: int = 50) -> ShardBatches:
        """What a load takes, its counts those of the rows."""
        records = sum(len(rows) for dataset, rows in self.rows.items() if dataset not in {"repo", "rejected"})
        rejected: Counter[str] = Counter()
        for row in self.rows["rejected"]:
            rejected[row["reason"]] += row["records"]
        aside = sum(row["records"] for row in self.rows["rejected"] if row["scope"] == "repository")

        def read(dataset: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
            batch = pa.RecordBatch.from_pylist(self.rows[dataset], schema=RECORD_DATASETS[dataset])
            for start in range(0, batch.num_rows, batch_rows):
                part = batch.slice(start, batch_rows)
                yield part.select(columns) if columns else part

        return ShardBatches(self.shard, fingerprint, records + aside, dict(rejected), self.version, read)

    def _record(self, dataset: str, owner: str, rkey: str, row: dict[str, Any]) -> "FakeShard":
        self._repos[owner]["records"] += 1
        self.rows[dataset].append({"did": owner, "rkey": rkey, "created_at": FETCHED_AT} | row)
        return self

    def _reject(self, owner: str, scope: str, reason: str, records: int, **more: Any) -> None:
        row = {"did": owner, "host": "host.test", "scope": scope, "reason": reason, "records": records}
        self.rows["rejected"].append(row | more)


#: Columns of a repository that was not verified, and of which no DID document was had.
NOTHING: dict[str, Any] = {"rev": None, "data_cid": None, "commit": None, "signing_key": None}


def _pairs(name: str, pairs: Sequence[tuple[str, str]]) -> dict[str, list[str] | None]:
    return {
        f"{name}_dids": [owner for owner, _ in pairs] or None,
        f"{name}_rkeys": [rkey for _, rkey in pairs] or None,
    }


def _engagement(subject: tuple[str, str]) -> dict[str, Any]:
    owner, rkey = subject
    return {
        "subject_did": owner,
        "subject_collection": POST,
        "subject_rkey": rkey,
        "subject_cid": cid(owner + rkey),
    }


def random_shard(
    seed: int, shard: str = "host.test~00000", *, owners: range = range(40), accounts: int = 200, records: int = 2000
) -> FakeShard:
    """A shard of repositories with records of every kind, the same for the same arguments.

    Args:
        seed: of the generator.
        shard: its key.
        owners: numbers of the accounts whose repositories it has.
        accounts: how many accounts the records speak of.
        records: how many there are.
    """
    dice = random.Random(seed)
    fake = FakeShard(shard)
    for owner in owners:
        fake.repository(did(owner)).profile(did(owner))
    for number in range(records):
        owner = did(dice.choice(owners))
        other = (did(dice.randrange(accounts)), tid(dice.randrange(50)))
        rkey = tid(number + 1000) if dice.random() < 0.98 else f"key-{dice.randrange(1 << 40)}"
        match dice.choices(range(10), (58, 16, 12, 6, 2, 2, 1, 1, 1, 1))[0]:
            case 0:
                fake.like(owner, rkey, other)
            case 1:
                fake.follow(owner, rkey, other[0])
            case 2:
                parent = {"did": other[0], "collection": POST, "rkey": other[1]} if dice.random() < 0.5 else {}
                fake.post(owner, rkey, **{f"reply_parent_{name}": value for name, value in parent.items()})
            case 3:
                fake.repost(owner, rkey, other)
            case 4:
                fake.block(owner, rkey, other[0])
            case 5:
                fake.list_item(owner, rkey, other[0], other[1])
            case 6:
                fake.list_block(owner, rkey, other)
            case 7:
                fake.threadgate(owner, rkey, *[other] * dice.randrange(3), hidden=[other] * dice.randrange(3))
            case 8:
                fake.postgate(owner, rkey, *[other] * dice.randrange(3))
            case _:
                fake.record(owner, f"net.example.kind{dice.randrange(5)}", rkey)
    return fake
