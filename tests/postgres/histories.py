"""Random histories of accounts: their commits, and the whole repository at any of them. No tests here."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from tests.fakes.batches import did
from tests.fakes.live_commits import LiveCommit, commit_batch
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.mst import Change, root_of
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.records.live import read_commits
from zeppelin_pipeline.warehouse.batches import ShardBatches

#: When all of this happens; records are from before it, and one in ten from long after.
START = datetime(2026, 11, 1, tzinfo=UTC)
_MICROS = int(START.timestamp() * 1_000_000)
_HOUR = 3_600_000_000

#: Collections of the histories: typed ones of every form, one that is kept whole, one that nobody knows.
COLLECTIONS = (
    *("app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost", "app.bsky.graph.follow"),
    *("app.bsky.graph.block", "app.bsky.actor.profile", "app.bsky.graph.list", "app.bsky.graph.listitem"),
    *("app.bsky.actor.status", "net.example.thing"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A commit, and all records of the repository after it by key."""

    commit: LiveCommit
    records: Mapping[bytes, bytes]


@dataclass(slots=True)
class History:
    """An account's repository from its first commit on.

    Attributes:
        owner: its DID.
        moments: in order.
        is_deleted: the account is deleted after the last one.
    """

    owner: str
    moments: list[Moment] = field(default_factory=list)
    is_deleted: bool = False

    @property
    def last(self) -> int:
        """The number of the last moment."""
        return len(self.moments) - 1


def seen_at(number: int) -> datetime:
    """When a moment of any history is observed."""
    return START + timedelta(hours=number)


def random_history(dice: random.Random, number: int, *, accounts: int, commits: int) -> History:
    """A history of an account that speaks of accounts of the same numbers.

    Args:
        dice: decides.
        number: of the account.
        accounts: how many there are.
        commits: how many it makes.
    """
    history = History(did(number), is_deleted=dice.random() < 0.15)
    for _ in range(commits):
        records = dict(history.moments[-1].records) if history.moments else {}
        for key, block in _random_changes(dice, records, number, accounts).items():
            if block is None:
                del records[key]
            else:
                records[key] = block
        extend(history, records)
    return history


def extend(history: History, records: Mapping[bytes, bytes]) -> None:
    """Adds the commit that makes these the records of the repository."""
    before = history.moments[-1] if history.moments else None
    held = before.records if before else {}
    changed = sorted(key for key in held.keys() | records.keys() if held.get(key) != records.get(key))
    moment = len(history.moments)
    commit = LiveCommit(
        did=history.owner,
        rev=(_MICROS + moment * _HOUR) << 10,
        since=before.commit.rev if before else None,
        prev_data=before.commit.data if before else root_of(()),
        data=root_of(sorted((key, cid_of(block)) for key, block in records.items())),
        block=f"commit {history.owner} {moment}".encode(),
        changes=[Change(key, _cid(held.get(key)), _cid(records.get(key))) for key in changed],
        records=[records.get(key) for key in changed],
        seen_at_micros=_MICROS + moment * _HOUR,
    )
    history.moments.append(Moment(commit, dict(records)))


def _random_changes(
    dice: random.Random, records: Mapping[bytes, bytes], number: int, accounts: int
) -> dict[bytes, bytes | None]:
    """At least one operation on a repository, each on another key."""
    changes: dict[bytes, bytes | None] = {}
    for _ in range(dice.randint(1, 4)):
        collection = dice.choice(COLLECTIONS)
        singular = {"app.bsky.actor.profile", "app.bsky.actor.status"}
        rkey = "self" if collection in singular else dice.choice([_rkey(dice.randrange(3)), "named"])
        key = f"{collection}/{rkey}".encode()
        if key in records and dice.random() < 0.4:
            changes[key] = None
        else:
            changes[key] = _random_record(dice, collection, number, accounts)
    return {key: block for key, block in changes.items() if block != records.get(key)} or {
        b"net.example.thing/counter": dag_cbor.encode({"n": dice.randrange(1 << 30)})
    }


def _rkey(number: int) -> str:
    return int_to_tid((_MICROS + number) << 10)


def _random_record(dice: random.Random, collection: str, number: int, accounts: int) -> bytes:
    micros = _MICROS - dice.randrange(1000) * 1000 + (1000 * _HOUR if dice.random() < 0.1 else 0)
    value: dict[str, Any] = {"$type": collection, "createdAt": format_datetime(micros)}
    other = did(dice.randrange(accounts))
    uri = f"at://{other}/app.bsky.feed.post/{_rkey(dice.randrange(3))}"
    strong = {"uri": uri, "cid": cid_to_text(cid_of(uri.encode()))}
    match collection.rpartition(".")[2]:
        case "post":
            value["text"] = f"text {dice.randrange(1000)}"
            if dice.random() < 0.4:
                value["reply"] = {"root": strong, "parent": strong}
            if dice.random() < 0.3:
                value["embed"] = {"$type": "app.bsky.embed.record", "record": strong}
        case "like" | "repost":
            value["subject"] = strong
        case "follow" | "block":
            value["subject"] = other
        case "list":
            value |= {"name": f"list {dice.randrange(100)}", "purpose": "app.bsky.graph.defs#curatelist"}
        case "listitem":
            value |= {"subject": other, "list": f"at://{did(number)}/app.bsky.graph.list/{_rkey(0)}"}
        case "profile":
            pack = f"at://{other}/app.bsky.graph.starterpack/{_rkey(dice.randrange(3))}"
            value["joinedViaStarterPack"] = strong | {"uri": pack}
        case _:
            value["displayName"] = f"name {dice.randrange(1000)}"
    if dice.random() < 0.15:
        value["odd"] = dice.randrange(1000)  # no longer what the columns determine
    if dice.random() < 0.15:
        value["createdAt"] = dice.randrange(1000)  # not valid
    return dag_cbor.encode(value)


def _cid(block: bytes | None) -> bytes | None:
    return None if block is None else cid_of(block)


def snapshot(shard: str, fingerprint: str, taken: Sequence[tuple[History, int]]) -> ShardBatches:
    """A shard with the repositories as they were at these moments, fetched then."""
    whole = [_whole(history, moment) for history, moment in taken]
    batch = read_commits(commit_batch([commit for commit, _ in whole]))
    repos = pa.RecordBatch.from_pylist([row for _, row in whole], schema=RECORD_DATASETS["repo"])
    rows = {**batch.rows, "repo": repos}

    def read(dataset: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        if dataset in rows:
            yield rows[dataset].select(columns) if columns else rows[dataset]

    entries = sum(len(history.moments[moment].records) for history, moment in taken)
    return ShardBatches(shard, fingerprint, entries, {}, 1, read)


def _whole(history: History, moment: int) -> tuple[LiveCommit, dict[str, Any]]:
    """A repository as one commit that makes all of it, and its row of the dataset `repo`."""
    commit, records = history.moments[moment].commit, history.moments[moment].records
    changes = [Change(key, None, cid_of(block)) for key, block in records.items()]
    whole = LiveCommit(
        did=commit.did,
        rev=commit.rev,
        since=None,
        prev_data=None,
        data=commit.data,
        block=commit.block,
        changes=changes,
        records=list(records.values()),
        seen_at_micros=commit.seen_at_micros,
    )
    row = {
        "did": commit.did,
        "host": "host.test",
        "state": "synchronized",
        "status": "active",
        "rev": int_to_tid(commit.rev),
        "data_cid": commit.data,
        "commit": commit.block,
        "records": len(records),
        "fetched_at": seen_at(moment),
        "signing_key": "zKey",
    }
    return whole, row
