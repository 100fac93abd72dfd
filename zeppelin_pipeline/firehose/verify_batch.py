"""A batch of frames to the table of what they prove: usual commits by kernels, all others by the careful code. No I/O.

What comes out is what `verify_frames` says of the same frames; a test holds the two equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import CID_BYTES, cid_of
from zeppelin_pipeline.atproto.commit import MAX_REV_AHEAD_MICROS, encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import SIGNATURE_BYTES, PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.datetimes import format_datetime
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.atproto.kernels.sha256 import DIGEST_BYTES
from zeppelin_pipeline.atproto.mst import EMPTY_ROOT, build
from zeppelin_pipeline.atproto.mst.walk import is_collection_head
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.firehose import events
from zeppelin_pipeline.firehose.events import EVENTS, table_of
from zeppelin_pipeline.firehose.kernels import commits as found
from zeppelin_pipeline.firehose.verify_frames import KeysOf, verify_frames
from zeppelin_pipeline.records.commits import OPERATION
from zeppelin_pipeline.records.texts import span_column

Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Numbers: TypeAlias = "npt.NDArray[np.int64]"
Flags: TypeAlias = "npt.NDArray[np.bool_]"

_DID_BYTES: Final = 32
_CID_PLACES: Final = np.arange(CID_BYTES)


@dataclass(frozen=True, slots=True)
class Frames:
    """Messages of a stream, one behind the other.

    Attributes:
        data: frame i is `data[offsets[i]:offsets[i + 1]]`.
        offsets: one more than there are frames.
    """

    data: Bytes
    offsets: Numbers

    @classmethod
    def of(cls, frames: Sequence[bytes]) -> "Frames":
        """Joins frames."""
        return cls(as_bytes(b"".join(frames)), np.cumsum([0, *map(len, frames)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, place: int) -> bytes:
        return self.data[self.offsets[place] : self.offsets[place + 1]].tobytes()


@dataclass(frozen=True, slots=True)
class _Proven:
    """Messages that kernels have proven but for their signatures.

    Attributes:
        data: all messages.
        rows: of columns as `kernels.commits` names them, a row a message.
        digests: 32 bytes a message, which the signature is over.
    """

    data: Bytes
    rows: Numbers
    digests: Bytes

    def slices(self, start: int, size: int) -> list[bytes]:
        """So many bytes of each message from a column's offset on."""
        whole = self.data.data
        return [bytes(whole[at : at + size]) for at in self.rows[:, start].tolist()]


def verify_batch(frames: Frames, keys_of: KeysOf, now_micros: int) -> pa.Table:
    """The events of frames, in their order, of the schema EVENTS.

    Args:
        frames: messages of a stream.
        keys_of: asked for the accounts of these frames, in one or two parts.
        now_micros: our clock.
    """
    if not len(frames):
        return EVENTS.empty_table()
    proven, is_proven = _prove(frames, now_micros)
    table = _table(proven, _unsigned(proven, keys_of))
    if is_proven.all():
        return table
    others = [frames[place] for place in np.flatnonzero(~is_proven).tolist()]
    careful = table_of(verify_frames(others, keys_of, now_micros))
    order = np.argsort(np.concatenate([np.flatnonzero(is_proven), np.flatnonzero(~is_proven)]))
    return pa.concat_tables([table, careful]).take(pa.array(order))


def warm_up() -> None:
    """Has the kernels compiled, or read from their cache, before the first message comes: that may take a minute."""
    frame = _first_commit()
    verify_batch(Frames.of([frame]), lambda _dids: {}, 0)
    verify_frames([frame], lambda _dids: {}, 0)


def _first_commit() -> bytes:
    did, rev = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", int_to_tid(1 << 10)
    record = encode({"$type": "app.bsky.feed.post"})
    path, cid = f"app.bsky.feed.post/{rev}", cid_of(record)
    tree = build([(path.encode(), cid)])
    block = encode_commit(sign_commit(did, rev, tree.root, PrivateKey.generate("k256")))
    head = cid_of(block)
    return encode_frame(
        1,
        "#commit",
        {
            "seq": 1,
            "time": format_datetime(0),
            "repo": did,
            "commit": head,
            "rev": rev,
            "since": None,
            "blocks": write_car(head, [(head, block), *tree.blocks.items(), (cid, record)]),
            "ops": [{"action": "create", "path": path, "cid": cid}],
        },
    )


def _prove(frames: Frames, now_micros: int) -> tuple[_Proven, Flags]:
    """What kernels prove, and of which messages."""
    count, data = len(frames), frames.data
    rows, digests = np.empty((count, found.COLUMNS), np.int64), np.empty(count * DIGEST_BYTES, np.uint8)
    is_proven = np.zeros(count, np.bool_)
    found.prove_commits(data, frames.offsets, now_micros + MAX_REV_AHEAD_MICROS, rows, digests, is_proven)
    whole = data.data
    for place in np.flatnonzero(is_proven).tolist():
        # Collections are few, and each is looked at once.
        is_proven[place] = is_collection_head(bytes(whole[rows[place, found.KEY] : rows[place, found.SLASH] + 1]))
    digests = digests.reshape(count, DIGEST_BYTES)
    return _Proven(data, rows[is_proven], digests[is_proven]), is_proven


def _unsigned(proven: _Proven, keys_of: KeysOf) -> Flags:
    """Of which messages the signature does not fit a key that is known."""
    dids = [did.decode() for did in proven.slices(found.DID, _DID_BYTES)]
    keys = keys_of(set(dids)) if dids else {}
    signatures = proven.slices(found.SIGNATURE, SIGNATURE_BYTES)
    whole = proven.digests.tobytes()
    is_unsigned = np.ones(len(dids), np.bool_)
    for place, (did, signature) in enumerate(zip(dids, signatures, strict=True)):
        key = keys.get(did)
        if key is not None:
            digest = whole[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
            is_unsigned[place] = not key.verify_digest(signature, digest)
    return is_unsigned


def _table(proven: _Proven, is_unsigned: Flags) -> pa.Table:
    data, rows = proven.data, proven.rows
    count = len(rows)
    operations = pa.StructArray.from_arrays(
        [
            _spans(data, rows[:, found.KEY], rows[:, found.KEY_END], pa.binary()),
            _links(data, rows[:, found.OLD_CID]),
            _links(data, rows[:, found.NEW_CID]),
            _spans(data, rows[:, found.RECORD], rows[:, found.RECORD_END], pa.binary()),
        ],
        fields=list(OPERATION),
    )
    columns = {
        "seq": pa.array(rows[:, found.SEQ]),
        "kind": pa.repeat(pa.scalar(events.COMMIT), count),
        "did": _spans(data, rows[:, found.DID], rows[:, found.DID] + _DID_BYTES, pa.string()),
        "micros": pa.array(rows[:, found.MICROS]),
        "rev": pa.array(rows[:, found.REV]),
        "since": pa.array(rows[:, found.SINCE], mask=rows[:, found.SINCE] < 0),
        "prev_data": _links(data, rows[:, found.PREV_DATA], EMPTY_ROOT),
        "data": _links(data, rows[:, found.DATA]),
        "commit": _spans(data, rows[:, found.COMMIT], rows[:, found.COMMIT_END], pa.binary()),
        "is_unsigned": pa.array(is_unsigned),
        "operations": pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32)), operations),
    }
    arrays = [columns[field.name] if field.name in columns else pa.nulls(count, field.type) for field in EVENTS]
    return pa.Table.from_arrays(arrays, schema=EVENTS)


def _spans(data: Bytes, starts: Numbers, ends: Numbers, data_type: pa.DataType) -> pa.Array:
    return span_column(data, np.stack([starts, ends], axis=1), data_type)


def _links(data: Bytes, starts: Numbers, otherwise: bytes | None = None) -> pa.Array:
    """The CIDs at offsets; null, or another one, where there is none."""
    is_there = starts >= 0
    cids = data[np.where(is_there, starts, 0)[:, None] + _CID_PLACES]
    if otherwise is not None:
        cids[~is_there] = np.frombuffer(otherwise, np.uint8)
        is_there = np.ones(len(starts), np.bool_)
    bits = None if is_there.all() else pa.py_buffer(np.packbits(is_there, bitorder="little"))
    return pa.Array.from_buffers(pa.binary(CID_BYTES), len(starts), [bits, pa.py_buffer(np.ascontiguousarray(cids))])
