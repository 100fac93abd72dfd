"""Labels merged: the latest stands in any order, what is refused is kept with its reason, limits and fences hold."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import cbor2
import psycopg
import pytest

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.atproto.labels import sign_label
from zeppelin_pipeline.firehose.cursors import FencedError, HeldStream, StreamName, take_stream
from zeppelin_pipeline.labels.merge import LabelLimits, MergeResult, merge_batch
from zeppelin_pipeline.labels.messages import read_batch
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.queries import load_queries

DID, SUBJECT = "did:plc:labeler", "did:plc:subject"
KEY = PrivateKey.from_bytes("k256", bytes(31) + b"\1")
NOW = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
LIMITS = LabelLimits()


class Labeler:
    """A labeler's stream into the warehouse."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.keys = read_key_space(self.connection)
        self.actor = self.keys.actor_id(DID)
        held = take_stream(self.connection, StreamName(DID, "com.atproto.label.subscribeLabels"))
        assert held is not None
        self.held: HeldStream = held
        self.connection.execute(load_queries()["note_labeler"], {"actor": self.actor, "did": DID, "url": "u"})
        self.seq = 0

    def say(self, *labels: dict[str, Any], limits: LabelLimits = LIMITS) -> MergeResult:
        """A batch of frames, a label each."""
        frames: list[bytes] = []
        for label in labels:
            self.seq += 1
            frames.append(encode_frame(1, "#labels", {"seq": self.seq, "labels": [label]}))
        batch = read_batch(frames, DID, KEY.public_key, NOW)
        return merge_batch(self.connection, self.keys, self.held, self.actor, batch, limits)

    def rows(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue] - literals of the tests


@pytest.fixture
def labeler(postgres_url: str) -> Iterator[Labeler]:
    opened = Labeler(postgres_url)
    yield opened
    opened.connection.close()


def label(day: int, *, neg: bool = False, key: PrivateKey = KEY, **fields: Any) -> dict[str, Any]:
    value = {"src": DID, "uri": SUBJECT, "val": "spam", "cts": f"2024-01-{day:02}T00:00:00.000Z", "neg": neg or None}
    return sign_label(value | fields, key)


def test_the_latest_label_stands_in_whatever_order_and_batches_they_come(labeler: Labeler):
    said = [label(1), label(3, neg=True), label(2)]
    for number, order in enumerate(permutations(said)):
        labeler.rows("DELETE FROM label RETURNING 1")
        if number % 2:
            labeler.say(*order)
        else:
            for each in order:
                labeler.say(each)
        assert labeler.rows("SELECT is_negated, date_part('day', created_at)::int FROM label") == [(True, 3)]


def test_what_a_label_is_of_is_its_subject_value_and_version(labeler: Labeler):
    cid = "bafyreihbohm6u3j6mq32zrzie7z7qnjcurrmqtc5ky3cdsblty2k2zydu4"
    record = f"at://{SUBJECT}/app.bsky.feed.post/3kabcdefghij2"

    result = labeler.say(label(1), label(2, val="rude"), label(3, cid=cid), label(4, uri=record), label(5, uri=record))

    assert (result.written, result.outdone, result.refused) == (4, 1, {})
    assert labeler.rows("SELECT rows FROM labeler_state") == [(4,)]
    assert labeler.say(label(1)) == MergeResult(0, 1, {})
    assert labeler.rows("SELECT rows FROM labeler_state") == [(4,)]


def test_what_is_refused_is_counted_and_kept_with_its_reason_and_the_cursor_passes_it(labeler: Labeler):
    other = PrivateKey.generate("k256")

    result = labeler.say(
        label(1, key=other),
        label(1, cts="2026-01-01T00:06:00.000Z"),
        label(1, src="did:plc:other"),
        label(1, uri="https://example.test/"),
        label(1),
        limits=LabelLimits(quarantine=3),
    )

    reasons = {"label-signature": 1, "label-future": 1, "label-src": 1, "label-subject": 1}
    assert (result.written, result.refused) == (1, reasons)
    assert dict(labeler.rows("SELECT reason, events FROM stream_rejected")) == reasons
    assert len(labeler.rows("SELECT reason FROM label_rejected")) == 3
    assert labeler.rows("SELECT seq FROM stream") == [(5,)]


@pytest.mark.parametrize("seq", [1 << 63, -1, True, None])
def test_a_number_that_no_cursor_can_be_refuses_its_message_alone(labeler: Labeler, seq: object):
    # Written by hand, as our own encoder refuses what is no number of the data model.
    head = encode({"op": 1, "t": "#labels"})
    frames = [head + cbor2.dumps({"seq": number, "labels": [label(1)]}, canonical=True) for number in (seq, 7)]

    batch = read_batch(frames, DID, KEY.public_key, NOW)
    result = merge_batch(labeler.connection, labeler.keys, labeler.held, labeler.actor, batch, LIMITS)

    assert (result.written, result.refused) == (1, {"message-shape": 1})
    assert labeler.rows("SELECT seq FROM stream") == [(7,)]


def test_more_labels_than_a_message_has_room_for_are_not_looked_at_one_by_one(labeler: Labeler):
    frame = encode_frame(1, "#labels", {"seq": 1, "labels": [None] * 1_000_000})

    batch = read_batch([frame], DID, KEY.public_key, NOW)

    assert [(each.reason, len(each.raw)) for each in batch.refused] == [("frame-shape", 65_536)]


def test_a_labeler_that_is_full_can_still_take_back_what_it_said(labeler: Labeler):
    limits = LabelLimits(rows=1)
    labeler.say(label(1), limits=limits)

    result = labeler.say(label(2, neg=True), label(2, val="more"), limits=limits)

    assert (result.written, result.refused) == (1, {"label-rows": 1})
    assert labeler.rows("SELECT value, is_negated FROM label") == [("spam", True)]


def test_whom_another_consumer_has_replaced_writes_nothing(labeler: Labeler, postgres_url: str):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE stream SET epoch = epoch + 1")

    with pytest.raises(FencedError):
        labeler.say(label(1))
    assert labeler.rows("SELECT 1 FROM label") == []
