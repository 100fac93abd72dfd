"""Whatever a repository holds, columns and `raw` together give its bytes back."""

import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records.samples import (
    ALICE,
    BLOCK,
    FOLLOW,
    LIKE,
    LIST,
    LIST_BLOCK,
    LIST_ITEM,
    POST,
    REPOST,
    SOURCE,
    encode_row,
)
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, RAW_PREFIX, cid_of, cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.records.canonical import (
    encode_block,
    encode_follow,
    encode_like,
    encode_list_block,
    encode_list_item,
    encode_repost,
)
from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.reading import read_family
from zeppelin_pipeline.records.registry import FAMILIES
from zeppelin_pipeline.records.whole import invalid_records

BASE32 = string.ascii_lowercase + "234567"
FIRST_MILLISECOND, LAST_MILLISECOND = -62_135_596_800_000, 253_402_300_799_999
USUAL_TIME = r"20[0-2][0-9]-0[1-9]-[0-2][1-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]0[0-9]:00)"

tids = st.text(BASE32, min_size=13, max_size=13)
rkeys = tids | st.text(string.ascii_letters + string.digits + "_~.:-", min_size=1, max_size=20).filter(
    lambda key: key not in {".", ".."}
)
plc_dids = st.text(BASE32, min_size=24, max_size=24).map(lambda text: f"did:plc:{text}")
dids = plc_dids | st.from_regex(r"did:web:[a-z]{1,10}\.(test|example)", fullmatch=True)
hashes = st.binary(min_size=32, max_size=32)
record_cids = hashes.map(lambda digest: DAG_CBOR_PREFIX + digest)
millis = st.integers(FIRST_MILLISECOND, LAST_MILLISECOND) | st.integers(1_600_000_000_000, 1_800_000_000_000)
collections = st.sampled_from([POST, POST, POST, "app.bsky.feed.generator", "app.bsky.graph.list"])
subjects = st.tuples(dids, collections, rkeys, record_cids)
vias = st.none() | st.tuples(dids, rkeys, record_cids)

times = st.one_of(
    millis.map(lambda value: format_datetime(value * 1000)),
    st.from_regex(USUAL_TIME, fullmatch=True),
    st.sampled_from(["2024-02-30T00:00:00.000Z", "yesterday", "", "0000-01-01T00:00:00.000Z"]),
)  # fmt: skip
uris = st.one_of(
    st.builds(lambda did, collection, rkey: f"at://{did}/{collection}/{rkey}", dids, collections, rkeys),
    st.sampled_from(
        ["at://alice.test/app.bsky.feed.post/3k", "at://did:web:a.test", f"at://did:web:a.test/{POST}", "x"]
    ),
)
list_uris = uris | st.builds(lambda did, rkey: f"at://{did}/{LIST}/{rkey}", st.just(ALICE) | dids, rkeys)
cid_texts = (record_cids | hashes.map(lambda digest: RAW_PREFIX + digest)).map(cid_to_text) | st.just("zb2rhk")
refs = st.fixed_dictionaries(
    {"uri": uris, "cid": cid_texts}, optional={"$type": st.just("com.atproto.repo.strongRef"), "note": st.text()}
)
extras = st.dictionaries(st.text(min_size=1, max_size=5), st.integers(-9, 9) | st.text(max_size=3), max_size=1)


def read(collection: str, blocks: list[bytes]) -> list[dict[str, Any]]:
    """Each block's row, in order; the row of `record` where it is invalid."""
    pending = Pending()
    keys = [b"key%06d" % index for index in range(len(blocks))]
    pending.add(SOURCE, collection, keys, [cid_of(block) for block in blocks], blocks)
    reading = read_family(FAMILIES[collection], pending)
    rows = reading.rows.to_pylist() + invalid_records(pending, reading.faults).to_pylist()
    assert len(rows) == len(blocks)
    return sorted(rows, key=lambda row: row["rkey"])


@given(
    st.sampled_from([(LIKE, encode_like), (REPOST, encode_repost)]),
    st.lists(st.tuples(subjects, millis, vias), max_size=5),
)
def test_a_canonical_engagement_is_its_columns(kind: Any, values: list[Any]):
    collection, encode_columns = kind
    blocks = [encode_columns(subject, milli * 1000, via) for subject, milli, via in values]
    rows = read(collection, blocks)
    assert [row["raw"] for row in rows] == [None] * len(rows)
    assert [encode_row(collection, row) for row in rows] == blocks


@given(st.sampled_from([(FOLLOW, encode_follow), (BLOCK, encode_block)]), st.lists(st.tuples(dids, millis), max_size=5))
def test_a_canonical_relation_is_its_columns(kind: Any, values: list[Any]):
    collection, encode_columns = kind
    blocks = [encode_columns(did, milli * 1000) for did, milli in values]
    rows = read(collection, blocks)
    assert [row["raw"] for row in rows] == [None] * len(rows)
    assert [encode_row(collection, row) for row in rows] == blocks


@given(
    st.sampled_from([LIKE, REPOST]),
    st.lists(
        st.fixed_dictionaries({"subject": refs, "createdAt": times}, optional={"via": refs | st.none()}), max_size=5
    ),
    extras,
)
def test_any_engagement_gives_its_bytes_back(collection: str, records: list[dict[str, Any]], extra: dict[str, Any]):
    blocks = [encode({**extra, **record, "$type": collection}) for record in records]
    assert [encode_row(collection, row) for row in read(collection, blocks)] == blocks


@given(
    st.sampled_from([FOLLOW, BLOCK]),
    st.lists(
        st.fixed_dictionaries({"subject": dids | st.text(max_size=3), "createdAt": times}, optional={"via": refs}),
        max_size=5,
    ),
    extras,
)
def test_any_relation_gives_its_bytes_back(collection: str, records: list[dict[str, Any]], extra: dict[str, Any]):
    blocks = [encode({**extra, **record, "$type": collection}) for record in records]
    assert [encode_row(collection, row) for row in read(collection, blocks)] == blocks


@given(st.lists(st.tuples(rkeys, dids, millis), max_size=5))
def test_canonical_list_items_and_list_blocks_are_their_columns(values: list[tuple[str, str, int]]):
    items = [encode_list_item(ALICE, rkey, did, milli * 1000) for rkey, did, milli in values]
    list_blocks = [encode_list_block(did, rkey, milli * 1000) for rkey, did, milli in values]
    for collection, blocks in ((LIST_ITEM, items), (LIST_BLOCK, list_blocks)):
        rows = read(collection, blocks)
        assert [row["raw"] for row in rows] == [None] * len(rows)
        assert [encode_row(collection, row) for row in rows] == blocks


@given(st.lists(st.tuples(list_uris, dids | st.just("x"), times), max_size=5), extras)
def test_any_list_item_or_list_block_gives_its_bytes_back(values: list[tuple[str, str, str]], extra: dict[str, Any]):
    items = [{"list": uri, "subject": did, "createdAt": time} for uri, did, time in values]
    list_blocks = [{"subject": uri, "createdAt": time} for uri, _, time in values]
    for collection, records in ((LIST_ITEM, items), (LIST_BLOCK, list_blocks)):
        blocks = [encode({**extra, **record, "$type": collection}) for record in records]
        assert [encode_row(collection, row) for row in read(collection, blocks)] == blocks
