"""AT URIs to the keys of the warehouse."""

from zeppelin_api.hydration import keys
from zeppelin_pipeline.warehouse.keys import KeySpace


def test_a_text_of_unusual_length_is_not_kept():
    space = KeySpace(bytes(32))
    kept = keys._record_key_once.cache_info().currsize  # pyright: ignore[reportPrivateUsage] - what it holds shows nowhere else

    assert keys.record_key(space, "at://" + "a" * 1_000_000) is None
    assert keys.record_key(space, f"at://did:web:{'a.' * 300}test/app.bsky.feed.post/self") is not None

    assert keys._record_key_once.cache_info().currsize == kept  # pyright: ignore[reportPrivateUsage]
