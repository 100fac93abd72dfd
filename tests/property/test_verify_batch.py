"""What kernels prove of a batch of frames is what the careful code says of each, whatever their bytes are."""

from collections.abc import Iterable
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.live_messages import DID, KEY, NOW_MICROS, LiveAccount, frame_of, key_of, record_of
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.verify_batch import Frames, verify_batch
from zeppelin_pipeline.firehose.verify_frames import verify_frames

#: A byte of a frame, by where it is in it, and what it is turned by.
FLIPS = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255))


@cache
def frames() -> list[bytes]:
    """Messages of an account with some hundred posts, created, updated and deleted one by one; some of other kinds."""
    account = LiveAccount()
    made = [frame_of("#commit", account.commit({key_of(number): record_of(number) for number in range(0, 300, 2)}))]
    for number in range(1, 200, 5):
        is_held = key_of(number) in account.entries
        record = None if is_held and number % 3 else record_of(number + 1_000)
        made.append(frame_of("#commit", account.commit({key_of(number): record})))
        if number % 2:
            made.append(frame_of("#commit", account.commit({key_of(number): None})))
    made.append(frame_of("#sync", account.sync()))
    made.append(frame_of("#account", {"seq": 1, "did": DID, "time": "2026-05-28T20:26:40.000Z", "active": True}))
    return made


def keys_of(_dids: Iterable[str]) -> dict[str, PublicKey]:
    return {DID: KEY.public_key}


def assert_equal(batch: list[bytes]) -> None:
    expected = table_of(verify_frames(batch, keys_of, NOW_MICROS))
    assert verify_batch(Frames.of(batch), keys_of, NOW_MICROS).equals(expected)


def test_true_messages_of_all_kinds_are_seen_alike_in_their_order() -> None:
    assert_equal(frames())
    assert_equal(frames()[::-1])
    assert_equal([])


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(FLIPS, max_size=2))
def test_a_message_with_damaged_bytes_is_seen_alike(data: st.DataObject, flips: list[tuple[float, int]]) -> None:
    frame = bytearray(data.draw(st.sampled_from(frames())))
    for place, turn in flips:
        frame[int(place * min(len(frame), 700 if turn % 2 else len(frame)))] ^= turn
    assert_equal([frames()[1], bytes(frame), frames()[2]])
