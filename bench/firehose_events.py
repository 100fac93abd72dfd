"""Live events of a network that never was, signed and whole, in a file: for a relay that replays them at any rate.

Each account's first commits fill its repository; then accounts chosen at random like, follow, post, repost, delete and
change their profiles, a record a commit, as nine in ten commits of the network do.
"""

import argparse
import json
import random
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.tree import Tree

#: What one account writes at first, in commits of at most so many records.
_FIRST_RECORDS: Final = 100
_KINDS: Final = ("like", "follow", "post", "repost", "delete", "profile")
_WEIGHTS: Final = (54, 15, 10, 6, 12, 3)
_LENGTH: Final = struct.Struct(">I")


@dataclass
class _Account:
    did: str
    key: PrivateKey
    tree: Tree = field(default_factory=lambda: Tree([]))
    rev: int = 0
    keys: list[bytes] = field(default_factory=list[bytes])
    cids: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])


class _Network:
    def __init__(self, accounts: int, seed: int) -> None:
        self._random = random.Random(seed)
        self.accounts = [self._account(number) for number in range(accounts)]
        self._posts: list[tuple[str, str]] = []
        self._micros = time.time_ns() // 1000 - 3_600_000_000
        self._seq = 0

    def _account(self, number: int) -> _Account:
        digits = "".join(self._random.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(24))
        return _Account(f"did:plc:{digits}", PrivateKey.from_bytes("k256", (number + 1).to_bytes(32, "big")))

    def first(self, account: _Account) -> bytes:
        """The first commit of an account."""
        kinds = ["post"] * 20 + ["like"] * 55 + ["follow"] * 25
        return self._commit(account, [self._create(account, kind) for kind in kinds[:_FIRST_RECORDS]])

    def next(self) -> bytes:
        """A commit of anybody."""
        account = self._random.choice(self.accounts)
        kind = self._random.choices(_KINDS, _WEIGHTS)[0]
        if kind == "delete" and len(account.keys) > 10:
            place = self._random.randrange(len(account.keys))
            key = account.keys[place]
            account.keys[place] = account.keys[-1]
            account.keys.pop()
            return self._commit(account, [(key, None)])
        return self._commit(account, [self._create(account, "like" if kind == "delete" else kind)])

    def _create(self, account: _Account, kind: str) -> tuple[bytes, bytes | None]:
        self._micros += 1
        rkey = int_to_tid(self._micros << 10)
        moment = format_datetime(self._micros // 1000 * 1000)
        if kind == "profile":
            record = {"$type": "app.bsky.actor.profile", "displayName": rkey, "createdAt": moment}
            return b"app.bsky.actor.profile/self", encode(record)
        collection = f"app.bsky.graph.{kind}" if kind == "follow" else f"app.bsky.feed.{kind}"
        record = {"$type": collection, "createdAt": moment} | self._fields(kind)
        if kind == "post":
            uri = f"at://{account.did}/{collection}/{rkey}"
            self._posts.append((uri, cid_to_text(cid_of(encode(record)))))
        key = f"{collection}/{rkey}".encode()
        account.keys.append(key)
        return key, encode(record)

    def _fields(self, kind: str) -> dict[str, object]:
        choose = self._random
        if kind == "follow":
            return {"subject": choose.choice(self.accounts).did}
        if kind == "post" or not self._posts:
            text = " ".join(choose.choice(("sea", "sun", "moon", "tree", "bird", "and", "or")) for _ in range(20))
            record: dict[str, object] = {"text": text, "langs": ["en"]}
            if self._posts and choose.random() < 0.4:
                uri, cid = choose.choice(self._posts)
                record["reply"] = {"root": {"uri": uri, "cid": cid}, "parent": {"uri": uri, "cid": cid}}
            return record
        uri, cid = choose.choice(self._posts[-5_000:])
        return {"subject": {"uri": uri, "cid": cid}}

    def _commit(self, account: _Account, writes: list[tuple[bytes, bytes | None]]) -> bytes:
        prev_data, since = account.tree.root_cid, account.rev
        operations: list[dict[str, str | bytes | None]] = []
        records: dict[bytes, bytes] = {}
        for key, block in writes:
            operations.append(_apply(account, key, block))
            if block is not None:
                records[cid_of(block)] = block
        around = {node.cid: node.block for key, _ in writes for node in account.tree.nodes_around(key)}
        self._micros += 1
        account.rev = self._micros << 10
        rev = int_to_tid(account.rev)
        commit = encode_commit(sign_commit(account.did, rev, account.tree.root_cid, account.key))
        head = cid_of(commit)
        self._seq += 1
        body = {
            "seq": self._seq,
            "time": format_datetime(self._micros // 1000 * 1000),
            "repo": account.did,
            "commit": head,
            "rev": rev,
            "since": int_to_tid(since) if since else None,
            "blocks": write_car(head, ({head: commit} | around | records).items()),
            "ops": operations,
            "prevData": prev_data,
            "blobs": [],
            "rebase": False,
            "tooBig": False,
        }
        return encode_frame(1, "#commit", body)


def _apply(account: _Account, key: bytes, block: bytes | None) -> dict[str, str | bytes | None]:
    prev = account.cids.pop(key, None)
    cid = None
    if block is None:
        account.tree.delete(key)
    else:
        cid = account.cids[key] = cid_of(block)
        account.tree.put(key, cid)
    action = "delete" if cid is None else "create" if prev is None else "update"
    return {"action": action, "path": key.decode(), "cid": cid} | ({"prev": prev} if prev else {})


def write_events(path: Path, accounts: int, events: int, seed: int = 1) -> dict[str, str]:
    """Write the first commits of accounts, and so many events after them; gives, and keeps beside, the keys by DID."""
    network = _Network(accounts, seed)
    first = (network.first(account) for account in network.accounts)
    write_frames(path, chain(first, (network.next() for _ in range(events))))
    keys = {account.did: account.key.public_key.to_multibase() for account in network.accounts}
    keys_path(path).write_text(json.dumps(keys), encoding="utf-8")
    return keys


def write_frames(path: Path, frames: Iterable[bytes]) -> None:
    """Write a file of events."""
    with path.open("wb") as file:
        for frame in frames:
            file.write(_LENGTH.pack(len(frame)) + frame)


def keys_path(path: Path) -> Path:
    """Where the signing keys are of the accounts of a file of events, in the order of their first commits."""
    return path.with_suffix(".keys.json")


def read_events(path: Path) -> Iterator[bytes]:
    """The frames of a file, in their order."""
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(head)[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--events", type=int, default=20_000)
    given = parser.parse_args()
    write_events(given.path, given.accounts, given.events)
