"""Blocks of posts of whole arrays, packed as `packing.py` tells. No I/O."""

import numpy as np
import pyarrow as pa

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.kernels.packing import pack_references
from zeppelin_pipeline.warehouse.text_memory import Texts


def pack_blocks(blocks: pa.Array) -> pa.Array:
    """The blocks as they are stored; the same blocks are always packed in the same way.

    Raises:
        CorruptStateError: what is given are no blocks of records; the lake holds none such.
    """
    plain = Texts.of(blocks)
    ends = np.empty(len(blocks) + 1, np.int32)
    packed = np.empty(int(plain.offsets[-1] - plain.offsets[0]), np.uint8)
    if blocks.null_count or pack_references(plain.offsets, plain.data, ends, packed):
        raise CorruptStateError("a batch holds a post without the block of a record")
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(packed[: ends[-1]])]
    return pa.Array.from_buffers(pa.binary(), len(blocks), buffers)
