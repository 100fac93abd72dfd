"""The warehouse's keys: TIDs keep their order, and the sign tells the kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, KeySpace, tid_key, tid_of_key

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
#: First characters of TIDs below 2^63, and of those at or above it.
LOW_FIRST, HIGH_FIRST = ALPHABET[:8], ALPHABET[8:16]

keys = st.builds(KeySpace, st.binary(min_size=32, max_size=32))
# Arrow's text is UTF-8: lone surrogates, which it cannot hold, are no identifiers either.
texts = st.text(st.characters(codec="utf-8"), max_size=40)
dids = st.one_of(
    texts,
    st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=24, max_size=24).map("did:plc:{}".format),
    st.text("abc.%:", max_size=20).map("did:web:{}".format),
)
nsids = st.one_of(st.sampled_from(sorted(WELL_KNOWN_COLLECTIONS)), texts, st.just("app.bsky.feed.postgates"))
tids = st.integers(0, 2**63 - 1).map(tid_of_key)
near_tids = st.one_of(
    st.builds("{}{}".format, st.sampled_from(HIGH_FIRST), st.text(ALPHABET, min_size=12, max_size=12)),
    st.builds("{}{}".format, st.sampled_from(ALPHABET[16:] + "0189A-"), st.text(ALPHABET, min_size=12, max_size=12)),
    st.text(ALPHABET + "0189A-.~é", min_size=13, max_size=13),
    st.text(ALPHABET, min_size=12, max_size=14),
    tids.map(str.upper),
    st.builds(
        lambda tid, at, wrong: tid[:at] + wrong + tid[at + 1 :], tids, st.integers(0, 12), st.sampled_from("01é-")
    ),
)
rkeys = st.one_of(tids, near_tids, st.sampled_from(["", "self", "a" * 512]), texts)


@given(st.integers(0, 2**63 - 1))
def test_an_integer_gives_the_tid_that_has_it_for_a_key(key: int):
    assert tid_key(tid_of_key(key)) == key


@given(keys, tids)
def test_a_tid_is_given_back_by_its_key(space: KeySpace, tid: str):
    assert tid_of_key(space.rkey_id(tid)) == tid


@given(keys, tids, tids)
def test_keys_of_tids_are_in_the_order_of_the_tids(space: KeySpace, one: str, other: str):
    assert (space.rkey_id(one) < space.rkey_id(other)) == (one < other)


@given(keys, rkeys)
def test_the_key_of_an_rkey_is_negative_exactly_when_it_is_no_tid_below_2_63(space: KeySpace, rkey: str):
    is_tid = len(rkey) == 13 and rkey[0] in LOW_FIRST and all(character in ALPHABET for character in rkey)
    assert (space.rkey_id(rkey) >= 0) == is_tid
    assert -(2**63) <= space.rkey_id(rkey) < 2**63


@given(keys, nsids)
def test_the_key_of_a_collection_is_its_number_or_negative(space: KeySpace, nsid: str):
    key = space.collection_id(nsid)
    assert key == WELL_KNOWN_COLLECTIONS.get(nsid, key)
    assert (key > 0) == (nsid in WELL_KNOWN_COLLECTIONS)
    assert -(2**63) <= key < 2**63


@given(keys, keys, texts)
def test_another_warehouse_has_other_keys(one: KeySpace, other: KeySpace, text: str):
    assert (one.actor_id(text) == other.actor_id(text)) == (one.key == other.key)


@given(st.one_of(st.integers(max_value=-1), st.integers(min_value=2**63)))
def test_an_integer_outside_the_keys_of_tids_is_refused(key: int):
    with pytest.raises(CorruptStateError):
        tid_of_key(key)
