"""A batch of events into the warehouse, with the cursor, in one transaction."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.firehose.batches import EventBatch, Refusal
from zeppelin_pipeline.firehose.cursors import HeldStream, StreamName, advance
from zeppelin_pipeline.firehose.foreign_accounts import without_foreign_accounts
from zeppelin_pipeline.firehose.gaps import Gap
from zeppelin_pipeline.identity.store import refresh_identity
from zeppelin_pipeline.records.live import apply_commits
from zeppelin_pipeline.warehouse.array_parameters import array_parameters
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.operations import ApplyResult
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.standing import set_standings

#: A repository that is being loaded just now, or whose missing commits come by another relay, needs no fetch.
_RESYNC_DELAY: Final = timedelta(seconds=2)
#: Why a deleted account is in the queue: its host is asked before its rows go.
ACCOUNT_DELETED: Final = "account-deleted"


def apply_batch(
    connection: Connection[TupleRow], keys: BatchKeys, held: HeldStream, batch: EventBatch, gap: Gap | None = None
) -> ApplyResult:
    """Apply a batch; applying it again changes nothing but the numbers of events.

    Args:
        connection: not in a transaction.
        keys: of the warehouse.
        held: the stream, whose cursor moves with it.
        batch: of it.
        gap: that lies before or within it.

    Raises:
        FencedError: another consumer has the stream; nothing is written.
    """
    batch = without_foreign_accounts(connection, keys, held.name.relay, batch)
    return apply_events(connection, keys, batch, lambda inner: note_stream(inner, held, batch, gap))


def apply_events(
    connection: Connection[TupleRow], keys: BatchKeys, batch: EventBatch, note: Callable[[Connection[TupleRow]], None]
) -> ApplyResult:
    """Apply a batch whose stream is noted otherwise: `note` is called in its transaction, last."""

    def also(connection: Connection[TupleRow]) -> None:
        _write_accounts(connection, keys, batch)
        refresh_identity(connection, *batch.identities, keys=keys)
        _queue_resyncs(connection, keys, batch)
        note(connection)

    accounts = [each.did for each in batch.accounts]
    return apply_commits(connection, keys, batch.commits, also=also, accounts=accounts)


def note_stream(connection: Connection[TupleRow], held: HeldStream, batch: EventBatch, gap: Gap | None) -> None:
    """What a batch says of its stream: refusals, a gap, and the cursor last; in the caller's transaction."""
    count_refusals(connection, held.name, batch.refusals)
    if gap is not None:
        places = {"after_seq": gap.after_seq, "before_seq": gap.before_seq, "reason": gap.reason}
        connection.execute(load_queries()["insert_stream_gap"], {**held.name.parameters, **places})
    advance(connection, held, batch.seq, batch.events, batch.event_at)


def count_refusals(connection: Connection[TupleRow], name: StreamName, refusals: Sequence[Refusal]) -> None:
    """Counts the events of a stream that broke a rule, with the last of each."""
    if refusals:
        connection.execute(
            load_queries()["count_rejected_events"],
            {
                **name.parameters,
                "reasons": [each.reason for each in refusals],
                "events": [each.events for each in refusals],
                "dids": [each.did for each in refusals],
                "seqs": [each.seq for each in refusals],
                "details": [each.detail for each in refusals],
            },
        )


def queue_resyncs(connection: Connection[TupleRow], keys: KeySpace, reasons: dict[str, str]) -> int:
    """Have repositories fetched again, by DID with the reason, those that wait already anew; gives how many."""
    if not reasons:
        return 0
    cursor = connection.execute(
        load_queries()["queue_resync"],
        {
            "actors": [keys.actor_id(did) for did in reasons],
            "dids": list(reasons),
            "reasons": list(reasons.values()),
            "delay": _RESYNC_DELAY,
        },
    )
    return cursor.rowcount


def _write_accounts(connection: Connection[TupleRow], keys: BatchKeys, batch: EventBatch) -> None:
    """What hosts say of accounts: hidden or shown from this transaction on."""
    if batch.accounts:
        set_standings(connection, keys, batch.accounts)
        actors = [keys.actor_id(each.did) for each in batch.accounts]
        connection.execute(load_queries()["recall_deletions"], {"actors": actors})
        connection.execute(load_queries()["queue_reactivated"], {"actors": actors, "delay": _RESYNC_DELAY})


def _queue_resyncs(connection: Connection[TupleRow], keys: BatchKeys, batch: EventBatch) -> None:
    queue_resyncs(connection, keys, batch.suspect | dict.fromkeys(batch.deleted, ACCOUNT_DELETED))
    if batch.commits.num_rows:
        actors = array_parameters({"actors": keys.actor_ids(batch.commits["did"]).unique()})
        connection.execute(load_queries()["queue_desynchronized"], {**actors, "delay": _RESYNC_DELAY})
