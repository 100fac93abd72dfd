"""Records assembled in columns are the records that an encoder would write."""

import numpy as np

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.rows import (
    cid_rows,
    rows_of,
    split_rows,
    subject_did_rows,
    subject_ref_rows,
    tid_rows,
    time_rows,
)

MICROS = np.array([1_700_000_000_123_456, 1_779_999_999_999_999, 1_704_067_200_000_000], np.int64)
CIDS = [cid_of(text) for text in (b"one", b"two", b"three")]


def test_tids_are_those_of_the_specification():
    expected = [int_to_tid(int(micros) << 10 | 17).encode() for micros in MICROS]
    assert split_rows(tid_rows(MICROS, 17)) == expected


def test_times_have_three_digits_below_the_second():
    expected = [format_datetime(int(micros) // 1000 * 1000).encode() for micros in MICROS]
    assert split_rows(time_rows(MICROS)) == expected


def test_cids_are_written_in_base32():
    assert split_rows(cid_rows(CIDS)) == [cid_to_text(cid).encode() for cid in CIDS]


def test_a_batch_of_likes_is_what_the_encoder_writes():
    uris = [f"at://did:plc:{letter * 24}/app.bsky.feed.post/3kaaaaaaaaaa2" for letter in "abc"]
    rows = subject_ref_rows(
        "app.bsky.feed.like", cid_rows(CIDS), rows_of((uri.encode() for uri in uris), len(uris[0])), MICROS
    )
    for block, cid, uri, micros in zip(split_rows(rows), CIDS, uris, MICROS, strict=True):
        subject = {"cid": cid_to_text(cid), "uri": uri}
        created_at = format_datetime(int(micros) // 1000 * 1000)
        record = {"$type": "app.bsky.feed.like", "subject": subject, "createdAt": created_at}
        assert block == dag_cbor.encode(record)


def test_a_batch_of_follows_is_what_the_encoder_writes():
    dids = [f"did:plc:{letter * 24}" for letter in "xyz"]
    rows = subject_did_rows("app.bsky.graph.follow", rows_of((did.encode() for did in dids), 32), MICROS)
    for block, did, micros in zip(split_rows(rows), dids, MICROS, strict=True):
        created_at = format_datetime(int(micros) // 1000 * 1000)
        assert block == dag_cbor.encode({"$type": "app.bsky.graph.follow", "subject": did, "createdAt": created_at})


def test_no_records_make_no_rows():
    nothing = np.zeros(0, np.int64)
    assert split_rows(subject_did_rows("app.bsky.graph.block", np.zeros((0, 32), np.uint8), nothing)) == []
