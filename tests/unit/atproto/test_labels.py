"""Labels: form, signature, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeppelin_pipeline.atproto.crypto import Curve, PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import decode
from zeppelin_pipeline.atproto.labels import read_label, sign_label
from zeppelin_pipeline.errors import InvalidDataError

KEY = PrivateKey.from_bytes("k256", bytes(31) + b"\1")
CID = "bafyreihbohm6u3j6mq32zrzie7z7qnjcurrmqtc5ky3cdsblty2k2zydu4"
FIELDS = {"src": "did:plc:a", "uri": "did:plc:b", "val": "spam", "cts": "2024-01-02T03:04:05.678Z"}


@pytest.mark.parametrize("curve", ["k256", "p256"])
def test_a_signed_label_verifies_by_its_key_alone(curve: Curve):
    key, other = PrivateKey.generate(curve), PrivateKey.generate(curve)
    label = read_label(sign_label({**FIELDS, "cid": CID, "neg": True, "exp": "2025-01-01T00:00:00Z"}, key))

    assert label.is_signed_by(key.public_key)
    assert not label.is_signed_by(other.public_key)
    assert (label.is_negated, len(label.cid), label.created_micros) == (True, 36, 1_704_164_645_678_000)


@pytest.mark.parametrize("name", ["uri", "val", "cts", "src", "exp"])
def test_a_label_that_was_changed_after_it_was_signed_does_not_verify(name: str):
    label = sign_label({**FIELDS, "exp": "2025-01-01T00:00:00Z"}, KEY)
    label[name] = {"cts": "2024-01-02T03:04:05.679Z", "exp": "2026-01-01T00:00:00Z"}.get(name, "did:plc:c")

    assert not read_label(label).is_signed_by(KEY.public_key)


def test_what_is_no_field_of_a_label_is_neither_signed_nor_kept():
    label = read_label({**sign_label(FIELDS, KEY), "$type": "com.atproto.label.defs#label", "more": 1})

    assert label.is_signed_by(KEY.public_key)
    assert "more" not in label.fields


@given(val=st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text), is_negated=st.booleans())
def test_what_is_encoded_is_read_back_the_same(val: str, is_negated: bool):
    label = read_label(sign_label({**FIELDS, "val": val, "neg": is_negated or None}, KEY))

    assert read_label(decode(label.encode())) == label


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ver": 2}, "label-version"),
        ({"src": "alice.test"}, "label-src"),
        ({"src": 1}, "label-shape"),
        ({"uri": ""}, "label-uri"),
        ({"cid": "no cid"}, "label-cid"),
        ({"val": ""}, "label-value"),
        ({"val": "é" * 65}, "label-value"),
        ({"neg": 1}, "label-shape"),
        ({"cts": "yesterday"}, "label-time"),
        ({"exp": "9999999-01-01T00:00:00Z"}, "label-time"),
        ({"sig": b"short"}, "label-unsigned"),
        ({"sig": None}, "label-unsigned"),
    ],
)
def test_a_label_of_bad_form_is_refused_with_the_reason(change: dict[str, Any], reason: str):
    with pytest.raises(InvalidDataError) as refused:
        read_label({**sign_label(FIELDS, KEY), **change})
    assert refused.value.reason == reason


def test_what_is_no_object_is_refused():
    with pytest.raises(InvalidDataError) as refused:
        read_label(["label"])
    assert refused.value.reason == "label-shape"
