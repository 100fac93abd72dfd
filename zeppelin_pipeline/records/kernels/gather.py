"""Copies in a kernel: many slices of one array, one behind the other."""

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import (
    Bytes,
    BytesOut,
    Int32sOut,
    Int64s,
    Int64sOut,
    Number,
    Spans,
    kernel,
)
from zeppelin_pipeline.atproto.kernels.spans import copy


@kernel
def copy_slices(
    source: Bytes, starts: Int64s, ends: Int64s, target: BytesOut, target_offsets: Int64sOut, count: Number
) -> None:
    """Appends `source[starts[i]:ends[i]]` as texts `count + i` of a target that has room for all.

    Args:
        source: bytes.
        starts: of the slices; the caller knows that all lie within the source.
        ends: of the slices.
        target: bytes.
        target_offsets: text i is `target[target_offsets[i]:target_offsets[i + 1]]`; has room for all.
        count: texts that the target has already.
    """
    at = target_offsets[count]
    for index in range(len(starts)):
        start = starts[index]
        at = copy(target, at, source, start, ends[index])
        target_offsets[count + index + 1] = at


@kernel
def span_offsets(spans: Spans, offsets: Int32sOut, validity: BytesOut) -> Number:
    """Offsets of the column that spans make, one bit each for whether it is there; gives how many are null.

    Args:
        spans: where each text starts and ends, rows of two numbers; the end of a null is -1.
        offsets: one more than spans.
        validity: bytes of zeros, enough for all bits.
    """
    nulls = 0
    at = np.int64(0)
    offsets[0] = 0
    for index in range(len(spans)):
        if spans[index, 1] < 0:
            nulls += 1
        else:
            at += spans[index, 1] - spans[index, 0]
            validity[index >> 3] |= np.uint8(1 << (index & 7))
        offsets[index + 1] = at
    return nulls


@kernel
def copy_spans(source: Bytes, spans: Spans, target: BytesOut) -> None:
    """Writes the bytes of all spans that are there into a target of just their size."""
    at = np.int64(0)
    for index in range(len(spans)):
        if spans[index, 1] >= 0:
            at = copy(target, at, source, spans[index, 0], spans[index, 1])
