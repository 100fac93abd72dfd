"""Frames to verdicts: read, proven, their signatures checked with keys that somebody else knows. No I/O."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from zeppelin_pipeline.atproto.commit import verify_commit
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.frames import Frame, decode_frame
from zeppelin_pipeline.atproto.syntax import is_did
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.firehose import events
from zeppelin_pipeline.firehose.events import Verdict
from zeppelin_pipeline.firehose.messages import (
    AccountMessage,
    CommitMessage,
    IdentityMessage,
    Message,
    SyncMessage,
    read_message,
    read_seq,
)
from zeppelin_pipeline.firehose.verification import prove_commit, prove_sync

#: The signing keys of accounts; those that are not known are left out.
KeysOf: TypeAlias = Callable[[Iterable[str]], Mapping[str, PublicKey]]

_LONGEST_DETAIL: Final = 500


def verify_frames(frames: Sequence[bytes], keys_of: KeysOf, now_micros: int) -> list[Verdict]:
    """A verdict for each frame of a stream, in their order.

    Args:
        frames: messages of a stream.
        keys_of: asked once for all accounts of these frames.
        now_micros: our clock.
    """
    proven = [_prove(frame, now_micros) for frame in frames]
    dids = {verdict.message.did for verdict in proven if verdict.message is not None and verdict.head is not None}
    keys = keys_of(dids) if dids else {}
    return [_with_signature(verdict, keys) for verdict in proven]


def _prove(data: bytes, now_micros: int) -> Verdict:
    seq: int | None = None
    did: str | None = None
    message: Message | None = None
    try:
        frame = decode_frame(data)
        seq, did = read_seq(frame.body), _claimed_did(frame)
        message = read_message(frame.t or "", frame.body)
        if message is None:
            return Verdict(seq, events.UNKNOWN, detail=_storable(frame.t or ""))
        return _proven(message, now_micros)
    except InvalidDataError as error:
        return Verdict(seq, events.REJECTED, message, did=did, reason=error.reason, detail=_storable(error.detail))


def _proven(message: Message, now_micros: int) -> Verdict:
    match message:
        case CommitMessage():
            return Verdict(message.seq, events.COMMIT, message, prove_commit(message, now_micros))
        case SyncMessage():
            return Verdict(message.seq, events.SYNC, message, prove_sync(message, now_micros))
        case IdentityMessage():
            return Verdict(message.seq, events.IDENTITY, message)
        case AccountMessage():
            return Verdict(message.seq, events.ACCOUNT, message)


def _with_signature(verdict: Verdict, keys: Mapping[str, PublicKey]) -> Verdict:
    if verdict.head is None or verdict.message is None:
        return verdict
    key = keys.get(verdict.message.did)
    if key is not None and verify_commit(verdict.head.commit, key):
        return verdict
    return Verdict(verdict.seq, verdict.kind, verdict.message, verdict.head, is_unsigned=True)


def _claimed_did(frame: Frame) -> str | None:
    """Whose a message says it is, which is all that a rejected one tells: its repository may have to be fetched."""
    did = frame.body.get("repo" if frame.t == "#commit" else "did")
    return did if isinstance(did, str) and is_did(did) else None


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd")[:_LONGEST_DETAIL]
