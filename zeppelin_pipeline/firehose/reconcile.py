"""Gaps of a stream repaired: the revs that its relay lists are compared with ours, and what differs is fetched again.

A gap says that events are lost, not whose. A relay lists every repository that it knows with its rev, so that one pass
over the list, begun after the gap, finds whatever the gap has hidden: other revs, other statuses, and accounts that are
not listed any more, of which their hosts are asked.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.syntax import is_did, is_tid
from zeppelin_pipeline.atproto.tid import tid_to_int
from zeppelin_pipeline.firehose.application import queue_resyncs
from zeppelin_pipeline.firehose.cursors import StreamName
from zeppelin_pipeline.firehose.stream import relay_host
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.hosts.paging import CursorTrail, next_page
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

_LIST_REPOS: Final = "com.atproto.sync.listRepos"
_REASON: Final = "gap"


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """What a comparison found.

    Attributes:
        gaps: that it repaired.
        listed: repositories that were compared.
        queued: of these, that differed, and accounts that are not listed any more.
    """

    gaps: int
    listed: int
    queued: int


async def repair_gaps(connection: Connection[TupleRow], clients: HostClients, name: StreamName) -> ReconcileResult:
    """Compares the whole list of a relay when its stream has gaps that nobody has repaired.

    A kill on the way leaves the gaps open: the next call begins anew, and what is queued stays.

    Args:
        connection: in autocommit.
        clients: of all hosts.
        name: the stream.

    Raises:
        UpstreamError: the relay does not list; the gaps stay.
    """
    open_gaps = connection.execute(load_queries()["open_stream_gaps"], name.parameters).fetchall()
    if not open_gaps:
        return ReconcileResult(0, 0, 0)
    began_at = datetime.now(UTC)
    listed, queued = await _compare(connection, clients, name.relay)
    parameters = {**name.parameters, "began_at": began_at, "listed": listed, "queued": queued}
    gaps = connection.execute(load_queries()["repair_stream_gaps"], parameters).rowcount
    return ReconcileResult(gaps, listed, queued)


async def _compare(connection: Connection[TupleRow], clients: HostClients, relay: str) -> tuple[int, int]:
    keys = read_key_space(connection)
    client = clients.client(relay_host(relay))
    queries, trail = load_queries(), CursorTrail()
    listed = queued = 0
    connection.execute(queries["create_told"])
    while trail.cursor is not None:
        page = [row for row in map(_read_row, await next_page(client, _LIST_REPOS, "repos", trail)) if row]
        listed += len(page)
        connection.execute(queries["insert_told"], {"actors": [keys.actor_id(did) for did, _, _ in page]})
        queued += _queue_differing(connection, keys, page)
    queued += connection.execute(queries["queue_untold"], {"reason": _REASON}).rowcount
    connection.execute(queries["drop_told"])
    return listed, queued


def _read_row(value: Any) -> tuple[str, int, bool] | None:
    """A listed repository's DID, rev and whether it is active; null for what is none, which says nothing."""
    if not isinstance(value, dict):
        return None
    row = cast("dict[str, Any]", value)
    did, rev, is_active = row.get("did"), row.get("rev"), row.get("active", True)
    if not isinstance(did, str) or not is_did(did) or not isinstance(rev, str) or not is_tid(rev):
        return None
    return did, tid_to_int(rev), is_active is not False


def _queue_differing(connection: Connection[TupleRow], keys: KeySpace, page: list[tuple[str, int, bool]]) -> int:
    if not page:
        return 0
    rows = connection.execute(
        load_queries()["compare_listed"],
        {
            "actors": [keys.actor_id(did) for did, _, _ in page],
            "dids": [did for did, _, _ in page],
            "revs": [rev for _, rev, _ in page],
            "actives": [is_active for _, _, is_active in page],
        },
    ).fetchall()
    return queue_resyncs(connection, keys, {did: _REASON for (did,) in rows})
