"""The keys of whole arrays are those of their texts one by one, whatever is remembered, and new texts are told once."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property.test_keys import dids, keys, nsids, rkeys
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse import text_memory
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys, digests
from zeppelin_pipeline.warehouse.keys import KeySpace, tid_key
from zeppelin_pipeline.warehouse.text_memory import Texts

#: The first call of a kernel compiles it, or reads it from a file.
unhurried = settings(deadline=None)
#: About the length of BLAKE2b's block, of two of them, and of SipHash's words.
lengths = st.sampled_from([0, 1, 7, 8, 9, 31, 32, 127, 128, 129, 255, 256, 257, 2048])
long_texts = st.builds(lambda length, character: character * length, lengths, st.sampled_from("ab\0é漢"))


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[pa.Array]:
    """Text arrays as they occur: plain or dictionary-encoded, with nulls, whole or a slice of a longer one."""

    @st.composite
    def build(draw: st.DrawFn) -> pa.Array:
        array = pa.array(draw(st.lists(st.none() | values, max_size=30)), pa.string())
        if draw(st.booleans()):
            array = array.dictionary_encode()
        start = draw(st.integers(0, len(array)))
        return array.slice(start, draw(st.integers(0, len(array) - start)))

    return build()


batches = st.lists(arrays(dids | long_texts), max_size=4)


@contextmanager
def remembering(texts: int) -> Generator[None]:
    """Above so many texts all are forgotten."""
    with patch.object(text_memory, "REMEMBERED_TEXTS", texts):
        yield


@unhurried
@given(keys, batches, st.sampled_from([0, 3, 1000]))
def test_actor_ids_of_arrays_are_those_of_their_texts_whatever_is_remembered(
    space: KeySpace, some: list[pa.Array], limit: int
):
    with remembering(limit):
        batch_keys = BatchKeys(space)
        for array in some:
            expected = [None if text is None else space.actor_id(text) for text in array.to_pylist()]
            found = batch_keys.actor_ids(array)
            assert (found.to_pylist(), found.type, found.null_count) == (expected, pa.int64(), expected.count(None))


@unhurried
@given(keys, arrays(rkeys | long_texts))
def test_rkey_ids_of_an_array_are_those_of_its_texts(space: KeySpace, array: pa.Array):
    expected = [None if text is None else space.rkey_id(text) for text in array.to_pylist()]
    assert BatchKeys(space).rkey_ids(array).to_pylist() == expected


@unhurried
@given(keys, arrays(nsids | long_texts))
def test_collection_ids_of_an_array_are_those_of_its_texts(space: KeySpace, array: pa.Array):
    expected = [None if text is None else space.collection_id(text) for text in array.to_pylist()]
    assert BatchKeys(space).collection_ids(array).to_pylist() == expected


@unhurried
@given(keys, st.binary(max_size=300), st.binary(min_size=1, max_size=16))
def test_hashes_are_those_of_the_standard_library(space: KeySpace, text: bytes, person: bytes):
    starts = np.array([0, len(text)], np.int64)
    [found] = BatchKeys(space)._hashes(starts, np.frombuffer(text, np.uint8).copy(), person)
    digest = hashlib.blake2b(text, digest_size=8, key=space.key, person=person).digest()
    assert int(found) == int.from_bytes(digest, "big")


@unhurried
@given(keys, st.lists(arrays(rkeys), max_size=4), st.booleans())
def test_new_texts_are_told_once_with_their_keys(space: KeySpace, some: list[pa.Array], is_taken_after_each: bool):
    batch_keys = BatchKeys(space)
    memory = batch_keys.memories["record_key"]
    memory.is_noting = True
    told: list[tuple[int, str]] = []
    for array in some:
        batch_keys.rkey_ids(array)
        if is_taken_after_each:
            told += zip(*(column.to_pylist() for column in memory.take_new()), strict=True)
    told += zip(*(column.to_pylist() for column in memory.take_new()), strict=True)
    texts = {text for array in some for text in array.to_pylist() if text is not None and tid_key(text) is None}
    assert sorted(told) == sorted((space.rkey_id(text), text) for text in texts)


@unhurried
@given(keys, st.lists(dids, min_size=1, max_size=60, unique=True))
def test_noted_texts_are_kept_until_they_are_taken_however_many_they_are(space: KeySpace, texts: list[str]):
    with remembering(2):
        batch_keys = BatchKeys(space)
        memory = batch_keys.memories["actor"]
        memory.is_noting = True
        for text in texts:
            batch_keys.actor_ids(pa.array([text]))
        assert memory.take_new()[1].to_pylist() == texts


def test_many_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    """A table grown several times over, with more texts than its first slots."""
    space = KeySpace(bytes(32))
    texts = [f"did:plc:{number:024d}" for number in range(20_000)]
    found = BatchKeys(space).actor_ids(pa.array(texts + texts)).to_pylist()
    assert found == [space.actor_id(text) for text in texts] * 2


@unhurried
@given(st.lists(st.none() | st.binary(min_size=32, max_size=32), max_size=20), st.integers(0, 5), st.booleans())
@example([None, bytes(32)], 1, True)
def test_digests_are_the_ends_of_cids(hashes: list[bytes | None], start: int, is_fixed: bool):
    cids = [None if digest is None else bytes.fromhex("01711220") + digest for digest in hashes]
    array = pa.array(cids, pa.binary(36) if is_fixed else pa.binary())
    assert digests(array.slice(start)).to_pylist() == hashes[start:]


@pytest.mark.parametrize("offsets", [[0, 4], [3, 1], [-1, 2], [0, 2**31 - 1], [0, 3, 0], [2, 3, 1, 2]])
def test_offsets_that_leave_the_data_are_refused(offsets: list[int]):
    nothing = np.empty(0, np.uint8)
    broken = Texts(np.array(offsets, np.int32), np.frombuffer(b"abc", np.uint8), nothing, 0)
    space = BatchKeys(KeySpace(bytes(32)))
    for look_up in (space._rkeys, space._remembered("actor")):
        with pytest.raises(CorruptStateError, match="offsets leave its data"):
            look_up(broken)
