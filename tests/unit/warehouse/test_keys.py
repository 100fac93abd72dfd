"""Keys with known values: what they are may never change, as tables are full of them."""

import pytest

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, KeySpace, nsid_of_number, tid_key, tid_of_key

SPACE = KeySpace(bytes(range(32)))


def test_the_key_of_an_account_is_the_keyed_hash_that_it_always_was():
    assert SPACE.actor_id("did:plc:z72i7hdynmk6r22z27h6tvur") == -2565544445133141891


def test_the_keys_of_texts_are_the_keyed_hashes_that_they_always_were():
    assert (SPACE.rkey_id("self"), SPACE.collection_id("net.example.thing")) == (
        -3579213265043402158,
        -6734462538507649321,
    )


def test_the_first_and_the_last_tid_are_zero_and_2_63_minus_1():
    assert (tid_key("2222222222222"), tid_key("bzzzzzzzzzzzz")) == (0, 2**63 - 1)
    assert (tid_of_key(0), tid_of_key(2**63 - 1)) == ("2222222222222", "bzzzzzzzzzzzz")


@pytest.mark.parametrize(
    "text", ["c222222222222", "jzzzzzzzzzzzz", "k222222222222", "222222222222", "222222222222Z", ""]
)
def test_what_is_no_tid_below_2_63_has_no_tid_key(text: str):
    assert tid_key(text) is None
    assert SPACE.rkey_id(text) < 0


def test_one_text_has_three_keys_as_account_record_key_and_collection():
    assert len({SPACE.actor_id("self"), SPACE.rkey_id("self"), SPACE.collection_id("self")}) == 3


def test_the_numbers_of_collections_fit_a_smallint_and_are_given_once():
    assert len(set(WELL_KNOWN_COLLECTIONS.values())) == len(WELL_KNOWN_COLLECTIONS)
    assert all(0 < number < 2**15 for number in WELL_KNOWN_COLLECTIONS.values())
    assert all(nsid_of_number(number) == nsid for nsid, number in WELL_KNOWN_COLLECTIONS.items())
    assert nsid_of_number(0) is None


def test_a_secret_of_another_length_is_refused():
    with pytest.raises(CorruptStateError, match="31 bytes, not 32"):
        KeySpace(bytes(31))
