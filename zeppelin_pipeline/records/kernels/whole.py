"""Records of any collection in a kernel: whether one is a strict map whose `$type` is its collection."""

from typing import Final

import numpy as np

from zeppelin_pipeline.atproto.kernels.cbor import MAP, STACK_CELLS, header, is_equal, skip_value, text
from zeppelin_pipeline.atproto.kernels.compilation import Bytes, FlagsOut, Int32s, Int64s, kernel
from zeppelin_pipeline.atproto.kernels.frames import as_bytes

_TYPE: Final = as_bytes(b"$type")
_MAX_BYTES: Final = 1_000_000


@kernel
def find_sound(
    data: Bytes, offsets: Int64s, names: Bytes, name_offsets: Int64s, name_of: Int32s, is_sound: FlagsOut
) -> None:
    """Tells of each block `data[offsets[i]:offsets[i + 1]]` whether it is such a record; false means unusual.

    Its collection is name `name_of[i]`: from `names[name_offsets[name]]` to the next name.
    """
    stack = np.empty(STACK_CELLS, np.int64)
    for position in range(len(offsets) - 1):
        start, end = offsets[position], offsets[position + 1]
        is_sound[position] = False
        # Its size is bounded, and its being canonical is proven, keys and all, by stepping over the whole.
        if end - start > _MAX_BYTES or skip_value(data, start, end, stack) != end:
            continue
        fields, at = header(data, start, end, MAP)
        for _ in range(fields):
            key, at = text(data, at, end)
            if is_equal(data, key, at, _TYPE):
                value, behind = text(data, at, end)
                name = name_of[position]
                nsid = names[name_offsets[name] : name_offsets[name + 1]]
                is_sound[position] = value >= 0 and is_equal(data, value, behind, nsid)
                break
            at = skip_value(data, at, end, stack)
