"""A DID's log of PLC operations: each verified against those before it, forks by the recovery rule. No I/O.

Of a log is kept only what a later operation can depend on: its head, the operations that were superseded within the 72
hours in which a more powerful key may take them back, and the signing keys that were. So a log can be continued from a
row or two, whatever its length.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from zeppelin_pipeline.atproto.plc import PlcOperation, did_of_genesis, is_key, signer_rank
from zeppelin_pipeline.errors import InvalidDataError

#: For how long a key above the one that signed an operation can take it back (specification, "Key Rotation & Account
#: Recovery").
RECOVERY_MICROS: Final = 72 * 3600 * 1_000_000

Outcome: TypeAlias = Literal["applied", "recovered", "known"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation that was accepted.

    Attributes:
        operation: verified.
        created_at_micros: when the directory took it.
        key_since_micros: since when its signing key has been the account's.
        is_nullified: the directory says that a later operation takes it back; it never speaks for the account.
    """

    operation: PlcOperation
    created_at_micros: int
    key_since_micros: int
    is_nullified: bool = False

    @property
    def signing_key(self) -> str | None:
        """The `did:key` that signs commits from here on; null after a tombstone."""
        return self.operation.data and self.operation.data.signing_key


@dataclass(frozen=True, slots=True)
class Superseded:
    """An accepted operation that another followed.

    Attributes:
        entry: itself.
        superseded_at_micros: when the other came.
        signer_rank: which of its rotation keys signed the other; only those before that one may take it back.
    """

    entry: Entry
    superseded_at_micros: int
    signer_rank: int


@dataclass(frozen=True, slots=True)
class FormerKey:
    """A `did:key` that signed an account's commits for a time, bounds in microseconds."""

    key: str
    valid_from_micros: int
    valid_until_micros: int


@dataclass(slots=True)
class PlcLog:
    """The state of one DID's log.

    Attributes:
        did: whose.
        head: the last operation that stands; null before the genesis.
        superseded: those before it that can still be taken back, oldest first.
        former_keys: keys that are no more the account's.
        is_changed: whether an operation was accepted since it was made.
    """

    did: str
    head: Entry | None = None
    superseded: list[Superseded] = field(default_factory=list[Superseded])
    former_keys: list[FormerKey] = field(default_factory=list[FormerKey])
    is_changed: bool = False

    @property
    def speaking(self) -> Entry | None:
        """The last operation that stands and is not called nullified; null when none is held."""
        held = [*(old.entry for old in self.superseded), *([self.head] if self.head else [])]
        return next((entry for entry in reversed(held) if not entry.is_nullified), None)

    def apply(self, operation: PlcOperation, created_at_micros: int, *, is_nullified: bool = False) -> Outcome:
        """Verifies and takes the next operation, in the directory's order.

        Returns:
            `applied` at the log's end, `recovered` where it took back others, `known` for one that was taken before.

        Raises:
            InvalidDataError: `plc-genesis-did`, `plc-genesis-signature`, `plc-genesis-kind`, `plc-prev-unknown`,
                `plc-order`, `plc-after-tombstone`, `plc-signature`, `plc-recovery-key`, `plc-recovery-late`.
        """
        if self.head is None:
            self._begin(operation, created_at_micros, is_nullified=is_nullified)
            return "applied"
        if self._is_known(operation, created_at_micros):
            return "known"
        if operation.prev == self.head.operation.cid:
            self._extend(operation, created_at_micros, is_nullified=is_nullified)
            return "applied"
        self._recover(operation, created_at_micros, is_nullified=is_nullified)
        return "recovered"

    def _begin(self, operation: PlcOperation, at_micros: int, *, is_nullified: bool) -> None:
        if operation.prev is not None:
            raise InvalidDataError("plc-prev-unknown", "there is no operation before this one")
        if operation.data is None:
            raise InvalidDataError("plc-genesis-kind", "a tombstone")
        if did_of_genesis(operation) != self.did:
            raise InvalidDataError("plc-genesis-did", f"{did_of_genesis(operation)} is its DID, not {self.did}")
        if signer_rank(operation, operation.data.rotation_keys) is None:
            raise InvalidDataError("plc-genesis-signature", "no rotation key of its own signed it")
        self._set_head(Entry(operation, at_micros, at_micros, is_nullified))

    def _is_known(self, operation: PlcOperation, at_micros: int) -> bool:
        """Whether it was taken before: it is held, or older than the head, as the directory gives them in order."""
        assert self.head is not None
        held = {self.head.operation.cid, *(old.entry.operation.cid for old in self.superseded)}
        return operation.cid in held or at_micros < self.head.created_at_micros

    def _extend(self, operation: PlcOperation, at_micros: int, *, is_nullified: bool) -> None:
        assert self.head is not None
        before = self.head
        rank = _rank_of_signer(operation, before)
        self._forget_before(at_micros - RECOVERY_MICROS)
        self.superseded.append(Superseded(before, at_micros, rank))
        self._follow(before, operation, at_micros, is_nullified=is_nullified)

    def _recover(self, operation: PlcOperation, at_micros: int, *, is_nullified: bool) -> None:
        place = next((at for at, old in enumerate(self.superseded) if old.entry.operation.cid == operation.prev), None)
        if place is None:
            raise InvalidDataError("plc-prev-unknown", "it follows none that stands, or one of more than 72 hours ago")
        fork = self.superseded[place]
        rank = _rank_of_signer(operation, fork.entry)
        if rank >= fork.signer_rank:
            raise InvalidDataError("plc-recovery-key", f"key {rank} takes back what key {fork.signer_rank} signed")
        if at_micros - fork.superseded_at_micros > RECOVERY_MICROS:
            raise InvalidDataError("plc-recovery-late", "more than 72 hours after what it takes back")
        self.former_keys = [key for key in self.former_keys if key.valid_until_micros < fork.superseded_at_micros]
        self.superseded[place:] = [Superseded(fork.entry, at_micros, rank)]
        self._follow(fork.entry, operation, at_micros, is_nullified=is_nullified)

    def _follow(self, before: Entry, operation: PlcOperation, at_micros: int, *, is_nullified: bool) -> None:
        """Makes an operation the head, after the one that it names; remembers a key that it replaced."""
        key = operation.data and operation.data.signing_key
        since = before.key_since_micros if key == before.signing_key else at_micros
        if before.signing_key is not None and key != before.signing_key and is_key(before.signing_key):
            self.former_keys.append(FormerKey(before.signing_key, before.key_since_micros, at_micros))
        self._set_head(Entry(operation, at_micros, since, is_nullified))

    def _set_head(self, entry: Entry) -> None:
        self.head = entry
        self.is_changed = True

    def _forget_before(self, at_micros: int) -> None:
        self.superseded = [old for old in self.superseded if old.superseded_at_micros >= at_micros]


def _rank_of_signer(operation: PlcOperation, before: Entry) -> int:
    if before.operation.data is None:
        raise InvalidDataError("plc-after-tombstone", "the account was given up")
    rank = signer_rank(operation, before.operation.data.rotation_keys)
    if rank is None:
        raise InvalidDataError("plc-signature", "no rotation key of the operation before signed it")
    return rank
