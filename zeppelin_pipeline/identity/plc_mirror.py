"""The mirror of a PLC directory in the warehouse: logs read, continued by a page of operations, and written back.

Nothing is asked of the network here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.atproto.datetimes import micros_of, time_of
from zeppelin_pipeline.atproto.plc import cid_text, decode_operation, did_document, parse_operation
from zeppelin_pipeline.atproto.plc_log import RECOVERY_MICROS, Entry, FormerKey, PlcLog, Superseded
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.identity.documents import DidDocument, read_document
from zeppelin_pipeline.identity.plc_export import BAD_LINE, ExportLine
from zeppelin_pipeline.identity.store import KnownIdentity, name_accounts, store_identities
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

COLLISION: Final = "key-collision"
_CID_DIFFERS: Final = "plc-cid"
_UNORDERED: Final = "plc-prev-unknown"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An operation that did not verify."""

    line: ExportLine
    reason: str
    detail: str


@dataclass(slots=True)
class PageResult:
    """What a page of operations came to."""

    applied: int = 0
    recovered: int = 0
    known: int = 0
    rejected: list[Rejected] = field(default_factory=list[Rejected])

    @property
    def reasons(self) -> Counter[str]:
        """Rejected operations by reason."""
        return Counter(each.reason for each in self.rejected)


class PlcPage:
    """The logs that a page of operations continues. Read, verified, then written in a transaction."""

    def __init__(self, connection: Connection[TupleRow], keys: KeySpace, lines: Sequence[ExportLine]) -> None:
        self.result = PageResult()
        self._connection = connection
        self._keys = keys
        self._lines = lines
        self._actors = {line.did: keys.actor_id(line.did) for line in lines if line.did is not None}
        self._logs = _read_logs(connection, self._actors)
        self._set_aside = {
            (actor, cid) for actor, cid in self._rows("plc_known_rejected", actors=list(self._actors.values()))
        }

    def fresh(self, since_micros: int | None) -> list[ExportLine]:
        """The lines that are not known from the page before, which may have ended within the same millisecond."""
        return [line for line in self._lines if not self._is_held(line, since_micros)]

    def verify(self, lines: Sequence[ExportLine]) -> PageResult:
        """Continues the logs by these lines of the page; what does not verify is set aside."""
        unordered: list[tuple[ExportLine, InvalidDataError]] = []
        for line in lines:
            try:
                self._apply(line)
            except InvalidDataError as error:
                if error.reason == _UNORDERED:
                    unordered.append((line, error))
                else:
                    self.result.rejected.append(Rejected(line, error.reason, error.detail))
        for line, error in unordered:
            self._apply_late(line, error)
        return self.result

    def write(self) -> None:
        """Stores what changed; the caller's transaction holds the cursor too."""
        changed = {did: log for did, log in self._logs.items() if log.is_changed}
        for did in name_accounts(self._connection, list(self._actors), self._keys):
            if changed.pop(did, None) is not None:
                lines = [line for line in self._lines if line.did == did]
                self.result.rejected += [Rejected(line, COLLISION, "another DID has its key") for line in lines]
        self._write_logs(list(changed.values()))
        self._write_rejected()
        known = [_identity(did, entry) for did, log in changed.items() if (entry := log.speaking)]
        store_identities(self._connection, known, self._keys, is_mirror=True)

    def _is_held(self, line: ExportLine, since_micros: int | None) -> bool:
        if since_micros is None or line.created_at_micros is None or line.created_at_micros > since_micros:
            return False
        log = self._logs[line.did or ""]
        held = [old.entry for old in log.superseded] + ([log.head] if log.head else [])
        cids = {cid_text(entry.operation) for entry in held}
        is_set_aside = (self._actors[log.did], line.cid) in self._set_aside
        # Older than the head: it was taken before, and can be taken back no more.
        is_old = log.head is not None and line.created_at_micros < log.head.created_at_micros
        return line.cid in cids or is_set_aside or is_old

    def _apply(self, line: ExportLine) -> None:
        if line.did is None or line.created_at_micros is None:
            raise InvalidDataError(BAD_LINE, line.operation[:200])
        operation = parse_operation(orjson.loads(line.operation))
        if cid_to_text(operation.cid) != line.cid:
            raise InvalidDataError(_CID_DIFFERS, f"its CID is {cid_to_text(operation.cid)}")
        outcome = self._logs[line.did].apply(operation, line.created_at_micros, is_nullified=line.is_nullified)
        match outcome:
            case "applied":
                self.result.applied += 1
            case "recovered":
                self.result.recovered += 1
            case "known":
                self.result.known += 1

    def _apply_late(self, line: ExportLine, error: InvalidDataError) -> None:
        """Tries again an operation that came before the one that it follows, both of one time."""
        head = self._logs[line.did or ""].head
        if head is None or head.created_at_micros != line.created_at_micros:
            self.result.rejected.append(Rejected(line, error.reason, error.detail))
            return
        try:
            self._apply(line)
        except InvalidDataError as again:
            self.result.rejected.append(Rejected(line, again.reason, again.detail))

    def _write_logs(self, logs: Sequence[PlcLog]) -> None:
        heads = [(self._actors[log.did], log.head) for log in logs if log.head is not None]
        actors = [actor for actor, _ in heads]
        self._execute("plc_store_heads", actors=actors, **_entry_columns([entry for _, entry in heads]))
        old = [(self._actors[log.did], place, each) for log in logs for place, each in enumerate(log.superseded)]
        self._execute("plc_forget_superseded", actors=actors)
        self._execute(
            "plc_store_superseded",
            actors=[actor for actor, _, _ in old],
            positions=[place for _, place, _ in old],
            superseded_at=[time_of(each.superseded_at_micros) for _, _, each in old],
            signer_ranks=[each.signer_rank for _, _, each in old],
            **_entry_columns([each.entry for _, _, each in old]),
        )
        former = [(self._actors[log.did], each) for log in logs for each in log.former_keys]
        self._execute("forget_former_keys", actors=actors)
        self._execute(
            "store_former_keys",
            actors=[actor for actor, _ in former],
            signing_keys=[each.key for _, each in former],
            valid_from=[time_of(each.valid_from_micros) for _, each in former],
            valid_until=[time_of(each.valid_until_micros) for _, each in former],
        )

    def _write_rejected(self) -> None:
        # A line without a DID is in the lake's page alone: there is no account that it could be kept with.
        rejected = [each for each in self.result.rejected if each.line.did is not None]
        self._execute(
            "plc_store_rejected",
            actors=[self._keys.actor_id(each.line.did or "") for each in rejected],
            cids=[each.line.cid for each in rejected],
            dids=[each.line.did for each in rejected],
            created_at=[time_of(each.line.created_at_micros or 0) for each in rejected],
            reasons=[each.reason for each in rejected],
            details=[each.detail for each in rejected],
            operations=[each.line.operation for each in rejected],
        )

    def _execute(self, query: str, **parameters: Any) -> None:
        self._connection.execute(load_queries()[query], parameters)

    def _rows(self, query: str, **parameters: Any) -> list[TupleRow]:
        return self._connection.execute(load_queries()[query], parameters).fetchall()


def forget_old(connection: Connection[TupleRow], at_micros: int) -> None:
    """Drops what no key can take back any more at a time of the export."""
    before = time_of(at_micros - RECOVERY_MICROS)
    connection.execute(load_queries()["plc_forget_old"], {"before": before})


def _read_logs(connection: Connection[TupleRow], actors: dict[str, int]) -> dict[str, PlcLog]:
    """The logs of some DIDs, by DID; an empty one where nothing is held."""
    parameters = {"actors": list(actors.values())}
    by_actor = {actor: PlcLog(did) for did, actor in actors.items()}
    queries = load_queries()
    for actor, *columns in connection.execute(queries["plc_heads"], parameters, binary=True):
        by_actor[actor].head = _entry(*columns)
    for actor, at, rank, *columns in connection.execute(queries["plc_superseded_operations"], parameters, binary=True):
        by_actor[actor].superseded.append(Superseded(_entry(*columns), micros_of(at), rank))
    for actor, key, valid_from, valid_until in connection.execute(queries["former_keys"], parameters):
        by_actor[actor].former_keys.append(FormerKey(key, micros_of(valid_from), micros_of(valid_until)))
    return {log.did: log for log in by_actor.values()}


def _entry(created_at: datetime, key_since: datetime, is_nullified: bool, operation: bytes) -> Entry:
    return Entry(decode_operation(operation), micros_of(created_at), micros_of(key_since), is_nullified)


def _entry_columns(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    return {
        "created_at": [time_of(entry.created_at_micros) for entry in entries],
        "key_since": [time_of(entry.key_since_micros) for entry in entries],
        "is_nullified": [entry.is_nullified for entry in entries],
        "operations": [entry.operation.block for entry in entries],
    }


def _identity(did: str, entry: Entry) -> KnownIdentity:
    """What an operation says; an account that was given up has nothing."""
    data = entry.operation.data
    document = DidDocument(did) if data is None else read_document(did_document(did, data), did)
    return KnownIdentity(document, time_of(entry.created_at_micros))
