"""Gives repositories back from the warehouse alone, byte for byte, and proves them against their signed commits."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_of, cid_to_text
from zeppelin_pipeline.atproto.commit import decode_commit
from zeppelin_pipeline.atproto.datetimes import micros_of
from zeppelin_pipeline.atproto.mst import root_of
from zeppelin_pipeline.errors import CorruptStateError, InvalidDataError
from zeppelin_pipeline.records.canonical import (
    BLOCK,
    FOLLOW,
    LIKE,
    LIST_BLOCK,
    LIST_ITEM,
    REPOST,
    encode_engagement,
    encode_list_block,
    encode_list_item,
    encode_relation,
)
from zeppelin_pipeline.warehouse.contents import read_content
from zeppelin_pipeline.warehouse.keys import nsid_of_number, tid_of_key
from zeppelin_pipeline.warehouse.packing import unpack_block
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.tables import TABLES

#: Records whose keys and CIDs are held at once: about 200 bytes each.
AUDITED_RECORDS: Final = 200_000
STREAMED_ROWS: Final = 2_000
_LOWEST_KEY: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the warehouse gives it back: its place in its repository and its block."""

    actor_id: int
    collection: str
    rkey: str
    block: bytes

    @property
    def key(self) -> bytes:
        """Its key in the MST."""
        return f"{self.collection}/{self.rkey}".encode()


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found of one repository.

    Attributes:
        did: whose it is.
        rev: of the signed commit.
        records: rebuilt from the warehouse.
        expected: that the verified repository had.
        is_exact: the MST rebuilt from the records has the root that the commit signs.
        detail: what differs, for a person; empty when exact.
    """

    did: str
    rev: str
    records: int
    expected: int
    is_exact: bool
    detail: str


def read_records(connection: Connection[TupleRow], actors: Iterable[int]) -> Iterator[StoredRecord]:
    """Every record that is held of some accounts, table by table, streamed from the server.

    Raises:
        CorruptStateError: a row's key has no text in its dictionary.
    """
    parameters = {"actors": list(actors)}
    queries = load_queries()
    for table, read in _READERS.items():
        with connection.transaction(), connection.cursor(name="stored_records") as cursor:
            cursor.itersize = STREAMED_ROWS
            for row in cursor.execute(queries[f"stored_{table}"].rstrip(";"), parameters):
                yield read(row)


def audit_repositories(connection: Connection[TupleRow], actors: Iterable[int]) -> Iterator[Audit]:
    """Rebuild the MST of each account's repository and compare its root with the signed commit's.

    Accounts of which no repository is wholly held are left out. Memory: the keys and CIDs of as many repositories as
    have AUDITED_RECORDS records, or of one that is larger.
    """
    held = connection.execute(load_queries()["held_repositories"], {"actors": list(actors)}).fetchall()
    for group in _groups(held):
        entries: dict[int, list[tuple[bytes, bytes]]] = {actor: [] for actor, *_ in group}
        for record in read_records(connection, entries):
            entries[record.actor_id].append((record.key, cid_of(record.block)))
        for actor, did, commit, records in group:
            yield _audit(did, commit, records, sorted(entries.pop(actor)))


def count_shard(connection: Connection[TupleRow], shard: str) -> tuple[int, int]:
    """Records that a shard's repositories were verified with, and rows that the tables have of them."""
    row = connection.execute(load_queries()["count_shard"], {"shard": shard}).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def sample_repositories(connection: Connection[TupleRow], *, shard: str | None, limit: int) -> list[int]:
    """Accounts at random whose repositories are wholly held, of a shard or of all.

    They are neighbours by their keys, which are hashes: a sample as good as any, and no table is sorted for it.
    """
    start = secrets.randbits(64) + _LOWEST_KEY
    return [*_page(connection, shard, start, limit), *_page(connection, shard, _LOWEST_KEY, limit)][:limit]


def all_repositories(connection: Connection[TupleRow], *, shard: str | None, page: int = 100) -> Iterator[list[int]]:
    """Every account whose repository is wholly held, of a shard or of all, in pages."""
    after = _LOWEST_KEY
    while actors := _page(connection, shard, after, page):
        yield actors
        after = actors[-1]


def _page(connection: Connection[TupleRow], shard: str | None, after: int, limit: int) -> list[int]:
    parameters = {"shard": shard, "after": after, "limit": limit}
    return [actor for (actor,) in connection.execute(load_queries()["repositories_after"], parameters)]


def _groups(held: Iterable[tuple[int, str, bytes, int]]) -> Iterator[list[tuple[int, str, bytes, int]]]:
    """Neighbours that have AUDITED_RECORDS records together, or a larger one alone."""
    group: list[tuple[int, str, bytes, int]] = []
    size = 0
    for repository in held:
        if group and size + repository[3] > AUDITED_RECORDS:
            yield group
            group, size = [], 0
        group.append(repository)
        size += repository[3]
    if group:
        yield group


def _audit(did: str, commit_block: bytes, expected: int, entries: list[tuple[bytes, bytes]]) -> Audit:
    commit = decode_commit(commit_block)
    try:
        root = root_of(entries)
    except InvalidDataError as error:  # a key twice: our tables are wrong, and that is what an audit is to say
        return Audit(did, commit.rev, len(entries), expected, is_exact=False, detail=str(error))
    if root == commit.data:
        return Audit(did, commit.rev, len(entries), expected, is_exact=True, detail="")
    detail = (
        f"{len(entries)} records give the root {cid_to_text(root)}, but {expected} records were verified"
        f" and the commit signs {cid_to_text(commit.data)}"
    )
    return Audit(did, commit.rev, len(entries), expected, is_exact=False, detail=detail)


def _rkey(key: int | None, text: str | None) -> str:
    if text is not None:
        return text
    if key is None or key < 0:
        raise CorruptStateError(f"the record key {key} has no text in record_key")
    return tid_of_key(key)


def _read_engagement(nsid: str) -> Callable[[tuple[Any, ...]], StoredRecord]:
    def read(row: tuple[Any, ...]) -> StoredRecord:
        (actor, rkey, rkey_text, packed, did, number, subject_rkey, subject_text, created_at, *via) = row
        via_did, via_rkey, via_text = via
        content = read_content(packed)
        block = content.raw
        if block is None:
            subject = (
                did,
                nsid_of_number(number) or "",
                _rkey(subject_rkey, subject_text),
                DAG_CBOR_PREFIX + content.subject_cid,
            )
            through = _via(via_did, via_rkey, via_text, content.via_cid)
            block = encode_engagement(nsid, subject, micros_of(created_at), through)
        return StoredRecord(actor, nsid, _rkey(rkey, rkey_text), block)

    return read


def _via(did: str | None, rkey: int | None, text: str | None, cid: bytes | None) -> tuple[str, str, bytes] | None:
    return None if did is None or cid is None else (did, _rkey(rkey, text), DAG_CBOR_PREFIX + cid)


def _read_relation(nsid: str) -> Callable[[tuple[Any, ...]], StoredRecord]:
    def read(row: tuple[Any, ...]) -> StoredRecord:
        actor, rkey, rkey_text, raw, did, created_at = row
        block = encode_relation(nsid, did, micros_of(created_at)) if raw is None else raw
        return StoredRecord(actor, nsid, _rkey(rkey, rkey_text), block)

    return read


def _read_list_item(row: tuple[Any, ...]) -> StoredRecord:
    actor, rkey, rkey_text, raw, owner, list_rkey, list_text, subject, created_at = row
    block = raw
    if raw is None:
        block = encode_list_item(owner, _rkey(list_rkey, list_text), subject, micros_of(created_at))
    return StoredRecord(actor, LIST_ITEM, _rkey(rkey, rkey_text), block)


def _read_list_block(row: tuple[Any, ...]) -> StoredRecord:
    actor, rkey, rkey_text, raw, did, list_rkey, list_text, created_at = row
    block = encode_list_block(did, _rkey(list_rkey, list_text), micros_of(created_at)) if raw is None else raw
    return StoredRecord(actor, LIST_BLOCK, _rkey(rkey, rkey_text), block)


def _read_whole(nsid: str) -> Callable[[tuple[Any, ...]], StoredRecord]:
    def read(row: tuple[Any, ...]) -> StoredRecord:
        actor, rkey, rkey_text, raw = row
        return StoredRecord(actor, nsid, _rkey(rkey, rkey_text), unpack_block(raw))

    return read


def _read_other(row: tuple[Any, ...]) -> StoredRecord:
    actor, rkey, rkey_text, raw, nsid = row
    if nsid is None:
        raise CorruptStateError(f"a record of actor {actor} has a collection that is not in the dictionary")
    return StoredRecord(actor, nsid, _rkey(rkey, rkey_text), raw)


_READERS: Final[dict[str, Callable[[tuple[Any, ...]], StoredRecord]]] = {
    table.table: _read_whole(table.collection) for table in TABLES.values() if table.collection is not None
} | {
    "like": _read_engagement(LIKE),
    "repost": _read_engagement(REPOST),
    "follow": _read_relation(FOLLOW),
    "block": _read_relation(BLOCK),
    "list_item": _read_list_item,
    "list_block": _read_list_block,
    "record": _read_other,
}
