"""The column `content` of likes and reposts: what is joined is given back."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.contents import made_content
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.batch_contents import join_contents
from zeppelin_pipeline.warehouse.contents import NO_DIGEST, read_content

DIGESTS = st.binary(min_size=32, max_size=32)
KEYS = st.integers(-(2**63), 2**63 - 1)
VIAS = st.none() | st.tuples(KEYS, KEYS, DIGESTS)
RAWS = st.none() | st.binary(min_size=49, max_size=90)

Row = tuple[bytes | None, tuple[int, int, bytes] | None, bytes | None]


def joined(rows: list[Row], *, skipped: int = 0) -> list[bytes]:
    """The contents that `join_contents` makes of the rows behind the first ones."""
    vias = [(None, None, None) if via is None else via for _, via, _ in rows]
    columns = (
        pa.array([subject for subject, _, _ in rows], pa.binary()),
        *(
            pa.array([via[place] for via in vias], kind)
            for place, kind in enumerate((pa.int64(), pa.int64(), pa.binary()))
        ),
        pa.array([raw for *_, raw in rows], pa.binary()),
    )
    return join_contents(*(column.slice(skipped) for column in columns)).to_pylist()


@given(st.lists(st.tuples(st.none() | DIGESTS, VIAS, RAWS)), st.integers(0, 2))
def test_what_is_joined_is_read_again(rows: list[Row], skipped: int):
    contents = joined(rows, skipped=skipped)
    assert contents == [made_content(*row) for row in rows[skipped:]]
    for content, (subject, via, raw) in zip(contents, rows[skipped:], strict=True):
        read = read_content(content)
        assert read.subject_cid == (subject or NO_DIGEST)
        assert read.raw == raw
        assert read.via_cid == (None if via is None or raw is not None else via[2])


def test_what_columns_determine_costs_the_digest_alone():
    assert joined([(b"a" * 32, None, None), (b"b" * 32, None, None)]) == [b"a" * 32, b"b" * 32]
    assert joined([]) == []


@pytest.mark.parametrize("raw", [b"", bytes(48)])
def test_bytes_that_would_be_read_as_something_else_are_refused(raw: bytes):
    with pytest.raises(CorruptStateError, match="of 0 or 48 bytes"):
        joined([(b"a" * 32, None, raw)])
