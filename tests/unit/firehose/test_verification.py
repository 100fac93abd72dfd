"""Every way in which a message of a relay can be wrong, and that a true one is taken."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.live_messages import DID, KEY, NOW_MICROS, Body, LiveAccount, changed, frame_of, key_of, record_of
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.crypto import PrivateKey, PublicKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES
from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.firehose import events
from zeppelin_pipeline.firehose.batches import sort_events
from zeppelin_pipeline.firehose.events import Verdict, table_of
from zeppelin_pipeline.firehose.messages import CommitMessage
from zeppelin_pipeline.firehose.verify_batch import Frames, verify_batch
from zeppelin_pipeline.firehose.verify_frames import verify_frames

OTHER_KEY = PrivateKey.from_bytes("p256", bytes(31) + b"\x09")


def verdict_on(kind: str, body: Body, key: PublicKey | None = KEY.public_key) -> Verdict:
    keys = {} if key is None else {DID: key}
    frames = [frame_of(kind, body)]
    (verdict,) = verify_frames(frames, lambda _dids: keys, NOW_MICROS)
    assert verify_batch(Frames.of(frames), lambda _dids: keys, NOW_MICROS).equals(table_of([verdict]))
    return verdict


@pytest.fixture
def account() -> LiveAccount:
    """An account with forty posts, by one commit."""
    account = LiveAccount()
    account.commit({key_of(number): record_of(number) for number in range(40)})
    return account


def test_a_true_commit_is_taken_with_its_records(account: LiveAccount) -> None:
    writes = {key_of(50): record_of(50), key_of(3): record_of(103), key_of(4): None}
    old = dict(account.entries)
    since = account.rev
    verdict = verdict_on("#commit", account.commit(writes))
    assert (verdict.kind, verdict.is_unsigned, verdict.reason) == (events.COMMIT, False, None)
    assert isinstance(verdict.message, CommitMessage)
    assert (verdict.message.rev, verdict.message.since) == (account.rev, since)
    assert verdict.message.changes == (
        Change(key_of(50), None, cid_of(record_of(50))),
        Change(key_of(3), old[key_of(3)], cid_of(record_of(103))),
        Change(key_of(4), old[key_of(4)], None),
    )
    assert verdict.head is not None
    assert verdict.head.records == (record_of(50), record_of(103), None)


def test_the_first_commit_of_a_repository_follows_on_an_empty_tree() -> None:
    first = LiveAccount().commit({key_of(1): record_of(1)})
    assert verdict_on("#commit", first).kind == events.COMMIT
    assert verdict_on("#commit", changed(first, lambda body: body.pop("prevData"))).kind == events.COMMIT


def test_a_commit_without_operations_is_taken(account: LiveAccount) -> None:
    assert verdict_on("#commit", account.commit({})).kind == events.COMMIT


def test_a_signature_by_another_key_is_left_open(account: LiveAccount) -> None:
    body = account.commit({key_of(50): record_of(50)}, key=OTHER_KEY)
    assert verdict_on("#commit", body).is_unsigned
    assert verdict_on("#commit", body, None).is_unsigned
    assert not verdict_on("#commit", body, OTHER_KEY.public_key).is_unsigned


CHANGES: list[tuple[str, Callable[[Body], Any]]] = [
    ("message-did", lambda body: body.update(repo="did:plc:no spaces")),
    ("message-did", lambda body: body.pop("repo")),
    ("message-rev", lambda body: body.update(rev="not-a-tid")),
    ("message-rev", lambda body: body.update(since="3")),
    ("message-shape", lambda body: body.update(seq="1")),
    ("message-shape", lambda body: body.update(seq=-1)),
    ("message-shape", lambda body: body.update(time=None)),
    ("message-shape", lambda body: body.update(ops={})),
    ("message-shape", lambda body: body.update(ops=["create"])),
    ("message-shape", lambda body: body.update(commit=None)),
    ("message-shape", lambda body: body.update(commit=b"short")),
    ("message-shape", lambda body: body.update(blocks="text")),
    ("message-shape", lambda body: body["ops"][0].update(path=1)),
    ("message-shape", lambda body: body.update(prevData=b"x" * 36)),
    ("message-size", lambda body: body.update(blocks=bytes(2_000_001))),
    ("message-operations", lambda body: body.update(ops=body["ops"] * 201)),
    ("message-operations", lambda body: body["ops"][0].update(action="upsert")),
    ("message-operations", lambda body: body["ops"][0].update(action="delete")),
    ("message-operations", lambda body: body["ops"][0].update(action="update")),
    ("message-operations", lambda body: body["ops"][0].update(cid=None)),
    ("message-operations", lambda body: body["ops"][0].update(prev=cid_of(b"before"))),
    ("mst-key", lambda body: body["ops"][0].update(path="no-slash")),
    ("mst-key", lambda body: body["ops"][0].update(path="app.bsky.feed.post/..")),
    ("commit-other-root", lambda body: body.update(commit=cid_of(b"another"))),
    ("commit-other-did", lambda body: body.update(repo="did:plc:bbbbbbbbbbbbbbbbbbbbbbbb")),
    ("commit-other-rev", lambda body: body.update(rev=int_to_tid(NOW_MICROS << 10))),
    ("rev-not-after-since", lambda body: body.update(since=body["rev"])),
    ("prev-data-missing", lambda body: body.pop("prevData")),
    ("prev-data-mismatch", lambda body: body.update(prevData=cid_of(b"another tree"))),
    ("prev-data-mismatch", lambda body: body.update(ops=[])),
    ("op-not-in-tree", lambda body: body["ops"][0].update(path=key_of(77).decode())),
    ("op-not-in-tree", lambda body: body["ops"][0].update(cid=cid_of(b"another record"))),
    ("op-repeated", lambda body: body.update(ops=body["ops"] * 2)),
    ("car-truncated", lambda body: body.update(blocks=body["blocks"][:-1])),
    ("car-header", lambda body: body.update(blocks=b"\x01\x00")),
    ("block-hash", lambda body: body.update(blocks=body["blocks"][:-1] + bytes([body["blocks"][-1] ^ 1]))),
]


@pytest.mark.parametrize(("reason", "change"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_message_that_breaks_a_rule_is_refused_with_its_reason(
    account: LiveAccount, reason: str, change: Callable[[Body], Any]
) -> None:
    body = account.commit({key_of(50): record_of(50)})
    assert verdict_on("#commit", body).kind == events.COMMIT
    verdict = verdict_on("#commit", changed(body, change))
    assert (verdict.kind, verdict.reason) == (events.REJECTED, reason)


def test_a_commit_of_another_account_is_refused(account: LiveAccount) -> None:
    body = account.commit({key_of(50): record_of(50)}, did="did:plc:bbbbbbbbbbbbbbbbbbbbbbbb")
    assert verdict_on("#commit", body).reason == "commit-other-did"


def test_a_rev_more_than_five_minutes_ahead_is_refused(account: LiveAccount) -> None:
    ahead = NOW_MICROS + 5 * 60 * 1_000_000
    assert verdict_on("#commit", account.commit({key_of(50): record_of(50)}, rev=ahead << 10)).kind == events.COMMIT
    late = account.commit({key_of(51): record_of(51)}, rev=(ahead + 1) << 10)
    assert verdict_on("#commit", late).reason == "rev-in-future"


def test_a_commit_without_the_blocks_to_undo_it_is_refused(account: LiveAccount) -> None:
    record = record_of(50)
    assert verdict_on("#commit", account.commit({key_of(50): record}, without=[cid_of(record)])).reason == (
        "record-missing-block"
    )
    body = account.commit({key_of(51): record_of(51)})
    roots = verdict_on("#commit", body)
    assert roots.head is not None
    account.entries.pop(key_of(51))
    body = account.commit({key_of(51): record_of(51)}, without=[roots.head.commit.data])
    assert verdict_on("#commit", body).reason == "mst-missing-block"


def test_a_sync_proves_where_a_repository_is(account: LiveAccount) -> None:
    verdict = verdict_on("#sync", account.sync())
    assert (verdict.kind, verdict.is_unsigned) == (events.SYNC, False)
    assert verdict.head is not None
    assert (verdict.head.prev_data, verdict.head.records) == (None, ())
    assert verdict_on("#sync", account.sync(), OTHER_KEY.public_key).is_unsigned
    large = changed(account.sync(), lambda body: body.update(blocks=bytes(10_001)))
    assert verdict_on("#sync", large).reason == "message-size"
    other = changed(account.sync(), lambda body: body.update(did="did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"))
    assert verdict_on("#sync", other).reason == "commit-other-did"


def test_accounts_and_identities_are_read() -> None:
    body: Body = {"seq": 9, "did": DID, "time": "2026-01-01T00:00:00Z"}
    assert verdict_on("#identity", body).kind == events.IDENTITY
    assert verdict_on("#account", {**body, "active": False, "status": "takendown"}).kind == events.ACCOUNT
    assert verdict_on("#account", {**body, "active": "yes"}).reason == "message-shape"
    assert verdict_on("#account", body).reason == "message-shape"
    assert verdict_on("#identity", {**body, "did": "nobody"}).reason == "message-did"


def test_a_kind_that_is_not_known_is_counted_and_skipped() -> None:
    assert verdict_on("#handle", {"seq": 4, "did": DID}).kind == events.UNKNOWN


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "frame-shape"),
        (b"\xff\xff", "frame-cbor"),
        (encode({"op": 1, "t": "#commit"}), "frame-shape"),
        (encode({"op": "1", "t": "#commit"}) + encode({}), "frame-shape"),
        (bytes(MAX_FRAME_BYTES + 1), "frame-size"),
        (encode({"op": 1, "t": "#commit"}) + encode({"repo": DID}), "message-shape"),
    ],
)
def test_a_frame_that_cannot_be_read_is_refused(frame: bytes, reason: str) -> None:
    (verdict,) = verify_frames([frame], lambda _dids: {}, NOW_MICROS)
    assert (verdict.kind, verdict.reason, verdict.seq) == (events.REJECTED, reason, None)


def test_verdicts_go_through_their_table(account: LiveAccount) -> None:
    frames = [
        frame_of("#commit", account.commit({key_of(50): record_of(50), key_of(1): None})),
        frame_of("#sync", account.sync()),
        b"\xff",
        frame_of("#account", {"seq": 9, "did": DID, "time": "2026-01-01T00:00:00Z", "active": False}),
    ]
    table = table_of(verify_frames(frames, lambda _dids: {DID: KEY.public_key}, NOW_MICROS))
    assert table["kind"].to_pylist() == [events.COMMIT, events.SYNC, events.REJECTED, events.ACCOUNT]
    assert [each["block"] for each in table["operations"][0].as_py()] == [record_of(50), None]
    assert table["operations"][1].as_py() == []
    assert table["did"].to_pylist() == [DID, DID, None, DID]
    assert table["is_active"].to_pylist() == [None, None, None, False]


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59"])
@pytest.mark.parametrize("kind", ["#commit", "#account"])
def test_a_time_that_is_in_no_year_once_it_is_brought_to_utc_is_none(
    account: LiveAccount, kind: str, time: str
) -> None:
    commit = account.commit({key_of(50): record_of(50)})
    body = commit if kind == "#commit" else {"seq": 1, "did": DID, "active": True}

    verdict = verdict_on(kind, {**body, "time": time})

    batch = sort_events(table_of([verdict]), NOW_MICROS)
    assert (batch.events, batch.event_at, batch.refusals) == (1, None, [])
