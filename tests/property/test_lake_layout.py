"""For any text from outside, a path stays in its folder and belongs to that text alone."""

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from zeppelin_pipeline.lake import layout

TEXT = st.text(min_size=1, max_size=400)


@given(TEXT)
def test_a_segment_is_one_name_that_every_file_system_takes(text: str) -> None:
    segment = layout.segment(text)
    assert segment.isascii()
    assert len(segment) <= 160
    assert not segment.startswith(".")
    assert PurePosixPath("a", segment).parts == ("a", segment)
    assert segment == segment.lower()


@given(TEXT, TEXT)
def test_two_texts_never_share_a_segment(one: str, other: str) -> None:
    assert (layout.segment(one) == layout.segment(other)) == (one == other)


@given(TEXT.filter(lambda text: "~" not in text), st.integers(0, 99_999))
def test_a_shards_paths_stay_in_their_folders(host: str, number: int) -> None:
    shard = layout.host_shard(host, number)
    assert layout.shard_stem(shard) == host
    assert layout.shard_number(shard) == number
    assert len(PurePosixPath(layout.manifest(shard)).parts) == 2
    assert len(PurePosixPath(layout.pack_part(shard, 3)).parts) == 3
    assert layout.part_number(layout.pack_part(shard, 3)) == 3
