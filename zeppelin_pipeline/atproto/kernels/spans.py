"""Stretches of bytes in a kernel: compared and copied. What they hold is not asked here.

The caller knows that they lie within their arrays.
"""

from zeppelin_pipeline.atproto.kernels.compilation import Array, Number, part


@part
def is_same(one: Array, one_start: Number, other: Array, other_start: Number, size: Number) -> bool:
    """Whether two stretches of one size are equal."""
    for index in range(size):  # noqa: SIM110 - a generator is an object
        if one[one_start + index] != other[other_start + index]:
            return False
    return True


@part
def copy(out: Array, at: Number, data: Array, start: Number, end: Number) -> Number:
    """Writes `data[start:end]` from an offset on; gives the offset behind it."""
    for index in range(end - start):
        out[at + index] = data[start + index]
    return at + end - start
