"""A labeler's frames to verified labels, and to what is refused of them, with the reason. No database, no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.frames import decode_frame
from zeppelin_pipeline.atproto.labels import Label, read_label
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.firehose.messages import read_seq

#: How far ahead of us a labeler's clock may be.
FUTURE_MICROS: Final = 300_000_000
UNVERIFIED: Final = "label-signature"
#: No signed label is smaller: a message with more of them than fit is not looked into.
_LEAST_LABEL_BYTES: Final = 100
#: Of what is refused so much is kept.
_LONGEST_RAW_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class RefusedLabel:
    """A label that is not taken, or a message, as it came; of a long one the beginning."""

    seq: int
    position: int
    reason: str
    raw: bytes


@dataclass(slots=True)
class LabelBatch:
    """What neighbouring frames of one labeler held.

    Attributes:
        seq: of the last frame; null when none can be read.
        frames: in it.
        labels: that verified, in their order.
        refused: the rest.
    """

    seq: int | None = None
    frames: int = 0
    labels: list[Label] = field(default_factory=list[Label])
    refused: list[RefusedLabel] = field(default_factory=list[RefusedLabel])

    @property
    def has_unverified(self) -> bool:
        """Whether a label did not verify by the key that was tried."""
        return any(each.reason == UNVERIFIED for each in self.refused)


def read_batch(frames: Sequence[bytes], did: str, key: PublicKey, now_micros: int) -> LabelBatch:
    """The labels of neighbouring frames.

    Args:
        frames: messages of `com.atproto.label.subscribeLabels`.
        did: whose stream it is; labels of others are refused.
        key: of its labels.
        now_micros: labels from well after it are refused.
    """
    batch = LabelBatch(frames=len(frames))
    for data in frames:
        try:
            seq, values = _read_frame(data)
        except InvalidDataError as error:
            position = -1 - len(batch.refused)  # a place that no label of a frame has
            batch.refused.append(RefusedLabel(batch.seq or 0, position, error.reason, data[:_LONGEST_RAW_BYTES]))
            continue
        batch.seq = max(seq, batch.seq or 0)
        for position, value in enumerate(values):
            try:
                batch.labels.append(_accept(value, did, key, now_micros))
            except InvalidDataError as error:
                batch.refused.append(RefusedLabel(seq, position, error.reason, _raw(value, data)))
    return batch


def _read_frame(data: bytes) -> tuple[int, list[Any]]:
    frame = decode_frame(data)
    seq, values = read_seq(frame.body), frame.body.get("labels")
    if frame.t != "#labels" or not isinstance(values, list):
        raise InvalidDataError("frame-shape", f"{frame.t!r} without labels"[:200])
    labels = cast("list[Any]", values)
    if len(labels) * _LEAST_LABEL_BYTES > len(data):
        raise InvalidDataError("frame-shape", f"{len(labels)} labels in {len(data)} bytes")
    return seq, labels


def _raw(value: Any, frame: bytes) -> bytes:
    """A refused label as it came; what could not have been encoded so is kept as its message."""
    try:
        return encode(value)[:_LONGEST_RAW_BYTES]
    except InvalidDataError:
        return frame[:_LONGEST_RAW_BYTES]


def _accept(value: Any, did: str, key: PublicKey, now_micros: int) -> Label:
    label = read_label(value)
    if label.src != did:
        raise InvalidDataError("label-src", f"{label.src} in the stream of {did}"[:200])
    if label.created_micros > now_micros + FUTURE_MICROS:
        raise InvalidDataError("label-future", str(label.fields["cts"]))
    if not label.is_signed_by(key):
        raise InvalidDataError(UNVERIFIED, label.uri[:200])
    return label
