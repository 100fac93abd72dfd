"""Stretches of bytes in a kernel: compared and copied. What they hold is not asked here.

The caller knows that they lie within their arrays. Places are made unsigned: negative ones would count from the end,
and a loop that has to ask is not vectorised (measured: 250 bytes in 245 ns, without the question in 17).
"""

import numpy as np

from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part


@part
def is_same(one: Array, one_start: Number, other: Array, other_start: Number, size: Number) -> bool:
    """Whether two stretches of one size are equal."""
    for index in range(size):  # noqa: SIM110 - a generator is an object
        if one[np.uint64(one_start + index)] != other[np.uint64(other_start + index)]:
            return False
    return True


@part
def copy(out: Array, at: Number, data: Array, start: Number, end: Number) -> Number:
    """Writes `data[start:end]` from an offset on; gives the offset behind it."""
    for index in range(end - start):
        out[np.uint64(at + index)] = data[np.uint64(start + index)]
    return at + end - start
