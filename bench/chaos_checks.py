"""What must hold of a warehouse during chaos and after, by its own proofs and by a devnet's truth."""

from collections.abc import Iterator
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.aggregates.counts import recompute_all
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.frames import decode_frame
from zeppelin_pipeline.atproto.tid import int_to_tid, tid_to_int
from zeppelin_pipeline.devnet.background import DevnetHandle
from zeppelin_pipeline.devnet.model import Account, AccountStatus
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.audit import all_repositories, audit_repositories, read_records
from zeppelin_pipeline.repos.difference import find_difference
from zeppelin_pipeline.warehouse.connection import read_key_space

#: Events before the cursor that are looked for after each kill.
LOOKED_FOR: Final = 1_000
#: Statuses that say that an account is gone.
_GONE: Final = frozenset({"deleted", "not-found"})

_UNSETTLED: Final = """
SELECT (SELECT count(*) FROM resync), (SELECT count(*) FROM stream_gap WHERE repaired_at IS NULL),
    (SELECT count(*) FROM stream_segment), (SELECT count(*) FROM dirty_range)
"""
_HELD: Final = """
SELECT a.did, greatest(r.rev, (SELECT max(c.rev) FROM ahead_commit c WHERE c.actor_id = a.id)),
    EXISTS (SELECT FROM resync q WHERE q.actor_id = a.id) OR r.status = 'deleted'
FROM actor a LEFT JOIN repo r ON r.actor_id = a.id WHERE a.did = ANY(%s)
"""


def cursor_of(connection: Connection[TupleRow]) -> int | None:
    """The stored cursor of the one stream; null before the first event."""
    row = connection.execute("SELECT seq FROM stream").fetchone()
    return None if row is None else row[0]


def unsettled(connection: Connection[TupleRow]) -> dict[str, int]:
    """How much waits: repositories to be fetched again, gaps, files of events, ranges of counts."""
    row = connection.execute(_UNSETTLED).fetchone() or (0, 0, 0, 0)
    return dict(zip(("resync", "gaps", "spooled", "dirty"), row, strict=True))


def lost_behind_cursor(connection: Connection[TupleRow], lake: Lake, network: DevnetHandle) -> list[str]:
    """Events up to the cursor that are not durable: neither in the tables, nor in a file, nor to be fetched again.

    Asks for the last of them. A cursor ahead of the relay is named too.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor = cursor_of(connection)
        if cursor is None:
            return []
        if cursor > network.last_seq():
            return [f"the cursor {cursor} is ahead of the relay's last event {network.last_seq()}"]
        revs = _last_revs(network.frames(cursor - LOOKED_FOR + 1, cursor))
        held = {did: (rev, waits) for did, rev, waits in connection.execute(_HELD, (list(revs),))}
        files = [path for (path,) in connection.execute("SELECT path FROM stream_segment")]
    missing = {did: rev for did, rev in revs.items() if not _is_durable(rev, *held.get(did, (None, False)))}
    lost = missing.items() - _spooled(lake, files) if missing else ()
    return [f"{did}: rev {int_to_tid(rev)} is behind the cursor {cursor} and nowhere" for did, rev in lost]


def _last_revs(frames: list[bytes]) -> dict[str, int]:
    revs: dict[str, int] = {}
    for data in frames:
        try:
            frame = decode_frame(data)
        except InvalidDataError:
            continue  # the relay's own fault
        if frame.t == "#commit":
            did, rev = frame.body["repo"], tid_to_int(frame.body["rev"])
            revs[did] = max(rev, revs.get(did, rev))
    return revs


def _is_durable(rev: int, held: int | None, waits: bool) -> bool:
    return waits or (held is not None and held >= rev)


def _spooled(lake: Lake, files: list[str]) -> set[tuple[str, int]]:
    """Account and rev of all events in files; of a file that was applied meanwhile all is in the tables."""
    found: set[tuple[str, int]] = set()
    for path in files:
        with lake.open_parquet(path) as file:
            table = file.read(["did", "rev"])
        found.update(zip(table["did"].to_pylist(), table["rev"].to_pylist(), strict=True))
    return found


def differences(connection: Connection[TupleRow], lake: Lake, network: DevnetHandle) -> Iterator[str]:
    """Everything in which a warehouse that has settled differs from its network, a line each."""
    yield from _inexact(connection, lake)
    yield from _unlike_the_truth(connection, network)
    yield from _drifted(connection)
    cursor = cursor_of(connection)
    if cursor != network.last_seq():
        yield f"the cursor is {cursor}, the last event {network.last_seq()}"


def _inexact(connection: Connection[TupleRow], lake: Lake) -> Iterator[str]:
    for actors in all_repositories(connection, shard=None):
        for audit in audit_repositories(connection, actors):
            if not audit.is_exact:
                yield f"{audit.did} at rev {audit.rev}: {audit.detail} {find_difference(connection, lake, audit)}"


def _unlike_the_truth(connection: Connection[TupleRow], network: DevnetHandle) -> Iterator[str]:
    keys = read_key_space(connection)
    held = {
        did: (state, status, rev)
        for did, state, status, rev in connection.execute(
            "SELECT did, state, status, rev FROM repo JOIN actor ON id = actor_id"
        )
    }
    for account in network.accounts():
        state, status, rev = held.pop(account.did, (None, None, None))
        records = {each.key: cid_of(each.block) for each in read_records(connection, [keys.actor_id(account.did)])}
        yield from _unlike(network, account, (state, status, None if rev is None else int_to_tid(rev)), records)
    yield from (f"{did}: the network has no such account" for did in held)


def _unlike(
    network: DevnetHandle,
    account: Account,
    held: tuple[str | None, str | None, str | None],
    records: dict[bytes, bytes],
) -> Iterator[str]:
    did, (state, status, rev) = account.did, held
    truth = network.status_of(did)
    if truth is AccountStatus.DELETED:
        if status not in _GONE:
            yield f"{did}: is deleted, and held as {held}"
        elif status == "deleted" and records:
            yield f"{did}: is deleted, and {len(records)} of its records are held"
        return
    if truth is AccountStatus.ACTIVE and held != ("synchronized", "active", network.rev_of(did)):
        yield f"{did}: is active at {network.rev_of(did)}, and held as {held}"
    if truth is not AccountStatus.ACTIVE and status != truth:
        yield f"{did}: is {truth}, and held as {held}"
    true_records = {each.key: each.cid for each in network.records_of(did)}
    if state == "synchronized" and records != true_records:
        wrong = sorted({key.decode() for key, _ in set(records.items()) ^ set(true_records.items())})
        yield f"{did}: {len(wrong)} records differ from the host's, at rev {rev}: {wrong[:5]}"
    if state not in {"synchronized", "desynchronized"} and records:  # what a host gives no more stays, hidden
        yield f"{did}: {len(records)} records are held of a repository that is {state}"


def _drifted(connection: Connection[TupleRow]) -> Iterator[str]:
    for result in recompute_all(connection):
        if result.drifted:
            yield f"{result.aggregate} {result.key_range}: {result.drifted} rows are off"
