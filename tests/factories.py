"""Makes accounts and records straight in the warehouse, as the pipeline would have loaded them, for what reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa

from tests.fakes.contents import made_content
from tests.record_values import (
    digest_of,
    embed_bits,
    embedded_uri,
    encode_json,
    format_time,
    parse_time,
    read_columns,
)
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_from_text, cid_of, cid_to_text
from zeppelin_pipeline.atproto.syntax import parse_at_uri
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.records.registry import FAMILIES, WHOLE, Family
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, KeySpace
from zeppelin_pipeline.warehouse.rows import texts_of
from zeppelin_pipeline.warehouse.tables import TABLES

#: A list that is not there.
A_LIST = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.graph.list/3kabcdefghij2"
_POST = "app.bsky.feed.post"
_DAY_ONE = datetime(2024, 1, 1, tzinfo=UTC)
_DID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the factory."""

    did: str
    handle: str | None


@dataclass(frozen=True, slots=True)
class Ref:
    """A record of the factory: its strong reference, and the JSON that was written."""

    uri: str
    cid: str
    value: Mapping[str, Any] = field(default_factory=dict)

    @property
    def strong(self) -> dict[str, str]:
        """`com.atproto.repo.strongRef`."""
        return {"uri": self.uri, "cid": self.cid}


def blob(name: str, mime_type: str = "image/jpeg", size: int = 1000) -> dict[str, Any]:
    """A blob in a record's JSON, told apart by its name."""
    return {
        "$type": "blob",
        "ref": {"$link": cid_to_text(cid_of(name.encode(), RAW_PREFIX))},
        "mimeType": mime_type,
        "size": size,
    }


class WarehouseFactory:
    """Writes rows through one connection; each write is committed. Times advance by a minute with every record."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        row = self.connection.execute("SELECT hash_key FROM warehouse").fetchone()
        assert row is not None
        self.keys = BatchKeys(KeySpace(bytes(row[0])))
        self._accounts = 0
        self._now = _DAY_ONE

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()

    def insert(self, table: str, **columns: Any) -> None:
        """Write one row."""
        names = ", ".join(columns)
        places = ", ".join(["%s"] * len(columns))
        self.connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})', list(columns.values()))  # pyright: ignore[reportArgumentType, reportCallIssue] - names of our own tables

    def tick(self) -> datetime:
        """A time later than all before."""
        self._now += timedelta(minutes=1)
        return self._now

    # Accounts

    def account(
        self,
        handle: str | None = None,
        profile: Mapping[str, Any] | None = None,
        status: str | None = "active",
        handle_state: str = "verified",
    ) -> Account:
        """A repository with its identity; with a profile record when one is given."""
        self._accounts += 1
        number = self._accounts
        did = "did:plc:" + "".join(_DID_LETTERS[number >> shift & 31] for shift in range(115, -5, -5))
        actor = self.mention(did)
        self.insert("identity", actor_id=actor, resolved_at=_DAY_ONE, handle=handle, handle_state=handle_state)
        self.insert(
            "repo",
            actor_id=actor,
            rev=1,
            records=0,
            fetched_at=_DAY_ONE,
            host="pds.test",
            shard="tail~00000",
            state="synchronized",
            status=status,
        )
        account = Account(did, handle)
        if profile is not None:
            self.profile(account, **profile)
        return account

    def mention(self, did: str) -> int:
        """A row of the dictionary of accounts, and no more: an account that others name."""
        actor = self.keys.actor_id(did)
        self.connection.execute("INSERT INTO actor (id, did) VALUES (%s, %s) ON CONFLICT DO NOTHING", (actor, did))
        return actor

    def profile(self, account: Account, created_at: str | None = "2023-05-06T07:08:09.010Z", **fields: Any) -> Ref:
        """The account's profile record."""
        value = {"$type": "app.bsky.actor.profile", **fields}
        if created_at is not None:
            value["createdAt"] = created_at
        raw = encode_json(value)
        family = FAMILIES["app.bsky.actor.profile"]
        self._insert_typed(account, family, "self", read_columns(family, raw))
        return _ref(account, "app.bsky.actor.profile", "self", raw, value)

    # Posts

    def post(
        self,
        author: Account,
        text: str = "hello",
        *,
        reply_to: Ref | None = None,
        embed: Mapping[str, Any] | None = None,
        created_at: str | None = None,
        indexed_at: datetime | None = None,
        rkey: str | None = None,
        **fields: Any,
    ) -> Ref:
        """A post; an answer stands in its parent's thread."""
        at, rkey = self._when(created_at, rkey)
        value: dict[str, Any] = {"$type": _POST, "text": text, "createdAt": format_time(at), **fields}
        reply = None if reply_to is None else _reply(reply_to)
        if reply is not None:
            value["reply"] = reply
        if embed is not None:
            value["embed"] = dict(embed)
        raw = encode_json(value)
        root, parent = (None, None) if reply is None else (reply["root"]["uri"], reply["parent"]["uri"])
        quoted = embedded_uri(embed)
        root_actor, _, root_rkey = self._subject(root)
        parent_actor, _, parent_rkey = self._subject(parent)
        quote_actor, quote_collection, quote_rkey = self._subject(quoted)
        self.insert(
            "post",
            actor_id=self._actor(author),
            rkey=self._rkey(rkey),
            created_at=at,
            indexed_at=indexed_at,
            reply_root_actor=root_actor,
            reply_root_rkey=root_rkey,
            reply_parent_actor=parent_actor,
            reply_parent_rkey=parent_rkey,
            quote_actor=quote_actor,
            quote_rkey=quote_rkey,
            quote_collection=quote_collection,
            embed=embed_bits(embed),
            raw=raw,
        )
        return _ref(author, _POST, rkey, raw, value)

    # What accounts do to records and to each other

    def like(self, actor: Account, subject: Ref, **options: Any) -> Ref:
        """A like, its columns alone."""
        return self._engagement("like", actor, subject, **options)

    def repost(self, actor: Account, subject: Ref, **options: Any) -> Ref:
        """A repost, its columns alone."""
        return self._engagement("repost", actor, subject, **options)

    def follow(self, actor: Account, subject: Account, **options: Any) -> Ref:
        """A follow, its columns alone."""
        return self._relation("follow", actor, subject, **options)

    def block(self, actor: Account, subject: Account, **options: Any) -> Ref:
        """A block, its columns alone."""
        return self._relation("block", actor, subject, **options)

    def _engagement(
        self,
        table: str,
        actor: Account,
        subject: Ref,
        *,
        via: Ref | None = None,
        created_at: str | None = None,
        indexed_at: datetime | None = None,
        rkey: str | None = None,
    ) -> Ref:
        at, rkey = self._when(created_at, rkey)
        collection = f"app.bsky.feed.{table}"
        value: dict[str, Any] = {"$type": collection, "subject": subject.strong, "createdAt": format_time(at)}
        if via is not None:
            value["via"] = via.strong
        subject_actor, subject_collection, subject_rkey = self._subject(subject.uri)
        via_actor, _, via_rkey = self._subject(None if via is None else via.uri)
        made_via = None if via is None else (via_actor or 0, via_rkey or 0, digest_of(via.cid))
        self.insert(
            table,
            actor_id=self._actor(actor),
            rkey=self._rkey(rkey),
            subject_actor=subject_actor,
            subject_rkey=subject_rkey,
            subject_collection=subject_collection,
            created_at=at,
            indexed_at=indexed_at,
            content=made_content(digest_of(subject.cid), made_via),
        )
        return _ref(actor, collection, rkey, encode_json(value), value)

    def _relation(
        self,
        table: str,
        actor: Account,
        subject: Account,
        *,
        created_at: str | None = None,
        indexed_at: datetime | None = None,
        rkey: str | None = None,
    ) -> Ref:
        at, rkey = self._when(created_at, rkey)
        collection = f"app.bsky.graph.{table}"
        value = {"$type": collection, "subject": subject.did, "createdAt": format_time(at)}
        self.insert(
            table,
            actor_id=self._actor(actor),
            rkey=self._rkey(rkey),
            subject_actor=self.mention(subject.did),
            created_at=at,
            indexed_at=indexed_at,
        )
        return _ref(actor, collection, rkey, encode_json(value), value)

    def record(
        self,
        account: Account,
        collection: str,
        value: Mapping[str, Any],
        *,
        rkey: str | None = None,
        reason: str | None = None,
    ) -> Ref:
        """A record of any collection, read as extraction would; with a reason, one that failed validation."""
        at, rkey = self._when(None, rkey)
        whole = {"$type": collection, "createdAt": format_time(at), **value}
        raw = encode_json(whole)
        family = FAMILIES.get(collection)
        columns = {} if reason or family is None else read_columns(family, raw)
        if reason is None and family is not None and family.dataset != WHOLE:
            self._insert_typed(account, family, rkey, columns)
        else:
            self._insert_whole(account, collection, rkey, raw, at, reason)
        return _ref(account, collection, rkey, raw, whole)

    def _insert_typed(self, account: Account, family: Family, rkey: str, columns: Mapping[str, Any]) -> None:
        place = {"did": account.did, "rkey": rkey, "cid": bytes(36)}
        batch = pa.RecordBatch.from_pylist([place | dict(columns)], schema=family.schema)
        table = TABLES[family.dataset]
        for column, to_key in (
            *((did, self.mention) for did in table.dids),
            *((rkey, self._rkey) for rkey in table.rkeys),
        ):
            for text in texts_of(batch[column]).drop_null().to_pylist():
                to_key(text)
        self.insert(table.table, **table.to_rows(batch, self.keys).to_pylist()[0])

    def _insert_whole(
        self, account: Account, collection: str, rkey: str, raw: bytes, at: datetime, reason: str | None
    ) -> None:
        number = self.keys.collection_id(collection)
        self.connection.execute(
            "INSERT INTO collection (id, nsid) VALUES (%s, %s) ON CONFLICT DO NOTHING", (number, collection)
        )
        self.insert(
            "record",
            actor_id=self._actor(account),
            collection=number,
            rkey=self._rkey(rkey),
            indexed_at=at,
            reason=reason,
            raw=raw,
        )

    # Counts

    def post_counts(self, post: Ref, likes: int = 0, reposts: int = 0, replies: int = 0, quotes: int = 0) -> None:
        """What is counted of a post."""
        actor, _, rkey = self._subject(post.uri)
        self.insert(
            "post_counts", actor_id=actor, rkey=rkey, likes=likes, reposts=reposts, replies=replies, quotes=quotes
        )

    def record_counts(self, record: Ref, likes: int = 0, items: int = 0) -> None:
        """What is counted of a record that is no post."""
        actor, collection, rkey = self._subject(record.uri)
        self.insert("record_counts", actor_id=actor, rkey=rkey, collection=collection, likes=likes, items=items)

    def violation(self, post: Ref, kind: int, ruler: Account) -> None:
        """That a post breaks a rule of that account: 1 of its threadgate, 2 of its postgate."""
        actor, _, rkey = self._subject(post.uri)
        self.insert("violation", actor_id=actor, rkey=rkey, kind=kind, ruler=self._actor(ruler))

    def labeler(self, handle: str | None = None) -> Account:
        """An account that is a labeler."""
        account = self.account(handle, {"displayName": "Labeler"})
        self.record(account, "app.bsky.labeler.service", {"policies": {"labelValues": ["spam"]}}, rkey="self")
        return account

    def label(
        self, labeler: Account, subject: str, val: str, *, expires_at: datetime | None = None, **fields: Any
    ) -> None:
        """A label that stands on an account (by DID) or record (by URI); its signature is none."""
        at = fields.pop("cts", None) or format_time(self.tick())
        if expires_at is not None:
            fields["exp"] = format_time(expires_at)
        value = {"ver": 1, "src": labeler.did, "uri": subject, "val": val, "cts": at, **fields, "sig": bytes(64)}
        found = self.keys.label_subject(subject)
        assert found is not None
        self.insert(
            "label",
            **dict(zip(("actor_id", "collection", "rkey"), found, strict=True)),
            labeler=self._actor(labeler),
            value=val,
            cid=cid_from_text(fields["cid"]) if "cid" in fields else b"",
            created_at=parse_time(at),
            expires_at=expires_at,
            is_negated=fields.get("neg", False),
            raw=dag_cbor.encode(value),
        )

    def actor_counts(self, account: Account, followers: int = 0, follows: int = 0, posts: int = 0) -> None:
        """What is counted of an account."""
        self.insert("actor_counts", actor_id=self._actor(account), followers=followers, follows=follows, posts=posts)

    # Keys

    def _actor(self, account: Account) -> int:
        return self.keys.actor_id(account.did)

    def _rkey(self, text: str) -> int:
        key = self.keys.rkey_id(text)
        if key < 0:
            self.connection.execute(
                "INSERT INTO record_key (id, text) VALUES (%s, %s) ON CONFLICT DO NOTHING", (key, text)
            )
        return key

    def _subject(self, uri: str | None) -> tuple[int | None, int | None, int | None]:
        parsed = None if uri is None else parse_at_uri(uri)
        if parsed is None or parsed.collection not in WELL_KNOWN_COLLECTIONS:
            return None, None, None
        return (
            self.mention(parsed.authority),
            self.keys.collection_id(parsed.collection),
            self._rkey(parsed.rkey or ""),
        )

    def _when(self, created_at: str | None, rkey: str | None) -> tuple[datetime, str]:
        at = self.tick()
        tid = int_to_tid((int(at.timestamp() * 1_000_000) << 10) | self._accounts)
        return (at if created_at is None else parse_time(created_at)), rkey or tid


def _ref(account: Account, collection: str, rkey: str, raw: bytes, value: Mapping[str, Any]) -> Ref:
    return Ref(f"at://{account.did}/{collection}/{rkey}", cid_to_text(cid_of(raw)), value)


def _reply(parent: Ref) -> dict[str, Any]:
    above = parent.value.get("reply")
    return {"root": parent.strong if above is None else above["root"], "parent": parent.strong}
