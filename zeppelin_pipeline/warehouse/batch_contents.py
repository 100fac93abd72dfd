"""The column `content` of whole arrays of likes and reposts: what `contents.py` says of one. No I/O."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.contents import NO_DIGEST, VIA_BYTES, VIA_KEYS_BYTES


def join_contents(
    subject_cids: pa.Array, via_actors: pa.Array, via_rkeys: pa.Array, via_cids: pa.Array, raws: pa.Array
) -> pa.Array:
    """The contents of likes or reposts.

    Args:
        subject_cids: digests, null where the subject's CID has none.
        via_actors: keys (int64) of the accounts through whose reposts the subjects were seen, or null.
        via_rkeys: keys (int64) of these reposts, or null.
        via_cids: digests of these reposts; what is null has no `via`.
        raws: the original bytes, null where columns determine the record.

    Raises:
        CorruptStateError: bytes are of a length that no valid like or repost has.
    """
    if subject_cids.null_count == 0 and via_cids.null_count == len(via_cids) and raws.null_count == len(raws):
        return subject_cids
    if pc.any(pc.is_in(pc.binary_length(raws), value_set=pa.array([0, VIA_BYTES], pa.int32()))).as_py():
        raise CorruptStateError(f"a batch holds a like or repost of 0 or {VIA_BYTES} bytes")
    heads = pc.fill_null(subject_cids, NO_DIGEST)
    tails = raws if via_cids.null_count == len(via_cids) else pc.coalesce(raws, _vias(via_actors, via_rkeys, via_cids))
    return pc.binary_join_element_wise(heads, pc.fill_null(tails, b""), b"")


def _vias(actors: pa.Array, rkeys: pa.Array, cids: pa.Array) -> pa.Array:
    """The keys and the digest of each, one behind the other; null where the digest is."""
    keys = np.stack([pc.fill_null(column, 0).to_numpy() for column in (actors, rkeys)], axis=1).astype(">i8")
    buffers = [None, pa.py_buffer(np.ascontiguousarray(keys))]
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(VIA_KEYS_BYTES), len(cids), buffers)
    return pc.binary_join_element_wise(packed.cast(pa.binary()), cids, b"")
