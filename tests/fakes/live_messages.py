"""Messages of a relay about one repository, true ones and forgeries. No tests here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.encoding import encode_record
from zeppelin_pipeline.devnet.tree import Tree

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
KEY = PrivateKey.from_bytes("k256", bytes(31) + b"\x07")
#: The moment at which the tests' clock stands, microseconds since the epoch.
NOW_MICROS = 1_780_000_000_000_000
Body = dict[str, Any]


def record_of(number: int) -> bytes:
    """The bytes of a post."""
    return encode_record({"$type": "app.bsky.feed.post", "text": str(number), "createdAt": "2026-01-01T00:00:00.000Z"})


def key_of(number: int) -> bytes:
    """The key of a post."""
    return f"app.bsky.feed.post/{int_to_tid(1_700_000_000_000_000 + number << 10)}".encode()


@dataclass
class LiveAccount:
    """An account that commits, and what its messages look like.

    Attributes:
        rev: of its last commit, as an integer; None before the first.
        entries: its records.
    """

    did: str = DID
    key: PrivateKey = KEY
    rev: int | None = None
    entries: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    seq: int = 0

    def commit(
        self,
        writes: Mapping[bytes, bytes | None],
        *,
        rev: int | None = None,
        key: PrivateKey | None = None,
        did: str | None = None,
        without: Sequence[bytes] = (),
    ) -> Body:
        """The body of the message about a commit of writes (a record's bytes, None to delete it).

        Args:
            writes: by key.
            rev: of the commit; the next when left out.
            key: that signs it.
            did: that the commit names.
            without: CIDs of blocks that are left out.
        """
        before = Tree(sorted(self.entries.items())).root_cid
        since, self.rev = self.rev, rev or (self.rev or NOW_MICROS << 10) + 1
        operations = [self._apply(path, record) for path, record in writes.items()]
        tree = Tree(sorted(self.entries.items()))
        text = int_to_tid(self.rev)
        block = encode_commit(sign_commit(did or self.did, text, tree.root_cid, key or self.key))
        nodes = {node.cid: node.block for path in writes for node in tree.nodes_around(path)}
        records = {cid_of(record): record for record in writes.values() if record is not None}
        blocks = {cid_of(block): block} | nodes | records
        self.seq += 1
        return {
            "seq": self.seq,
            "repo": self.did,
            "time": "2026-05-28T20:26:40.000Z",
            "rev": text,
            "since": None if since is None else int_to_tid(since),
            "commit": cid_of(block),
            "blocks": write_car(cid_of(block), [pair for pair in blocks.items() if pair[0] not in without]),
            "ops": operations,
            "prevData": before,
            "tooBig": False,
            "rebase": False,
            "blobs": [],
        }

    def sync(self) -> Body:
        """The body of a `#sync` about the repository as it stands."""
        assert self.rev is not None
        text = int_to_tid(self.rev)
        root = Tree(sorted(self.entries.items())).root_cid
        block = encode_commit(sign_commit(self.did, text, root, self.key))
        self.seq += 1
        car = write_car(cid_of(block), [(cid_of(block), block)])
        return {"seq": self.seq, "did": self.did, "time": "2026-05-28T20:26:40.000Z", "rev": text, "blocks": car}

    def _apply(self, path: bytes, record: bytes | None) -> Body:
        prev = self.entries.pop(path, None)
        cid = None if record is None else cid_of(record)
        if cid is not None:
            self.entries[path] = cid
        action = "delete" if cid is None else "create" if prev is None else "update"
        return {"action": action, "path": path.decode(), "cid": cid} | ({"prev": prev} if prev else {})


def frame_of(kind: str, body: Body) -> bytes:
    """The bytes of a message."""
    return encode_frame(1, kind, body)


def changed(body: Body, change: Callable[[Body], Any]) -> Body:
    """A copy of a body after a change."""
    copy = {**body, "ops": [dict(each) for each in body.get("ops", [])]}
    change(copy)
    return copy
