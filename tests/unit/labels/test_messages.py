"""Messages of a labeler that is hostile: whatever they hold, each label is taken or refused with its reason."""

from typing import Any

import cbor2
import pytest

from tests.fakes.live_messages import DID, KEY, NOW_MICROS
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.labels import sign_label
from zeppelin_pipeline.labels.messages import LabelBatch, read_batch


def label(value: str) -> dict[str, Any]:
    return sign_label({"src": DID, "uri": DID, "val": value, "cts": "2026-01-01T00:00:00Z"}, KEY)


def read(*labels: Any) -> LabelBatch:
    """A message with these labels, in CBOR that is wider than DAG-CBOR."""
    body = cbor2.dumps({"seq": 7, "labels": labels}, canonical=True)
    return read_batch([encode({"op": 1, "t": "#labels"}) + body], DID, KEY.public_key, NOW_MICROS)


@pytest.mark.parametrize("oddity", [1.1, 2**64 - 1, -(2**64)], ids=["float", "large", "low"])
@pytest.mark.parametrize("field", ["ver", "neg", "unknown"])
def test_what_no_encoder_of_ours_would_write_is_refused_and_its_neighbours_are_taken(field: str, oddity: Any):
    batch = read(label("before"), {**label("odd"), field: oddity, "sig": bytes(64)}, label("behind"))

    assert [each.value for each in batch.labels] == ["before", "behind"]
    (refused,) = batch.refused
    assert (refused.seq, refused.position) == (7, 1)
    assert refused.raw


def test_a_label_that_is_refused_is_kept_as_it_came():
    odd = {**label("odd"), "val": 5}
    (refused,) = read(odd).refused
    assert (refused.reason, refused.raw) == ("label-shape", encode(odd))
