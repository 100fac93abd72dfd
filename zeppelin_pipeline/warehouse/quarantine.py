"""What was set aside, summed up for a person: by reason and host with an example, and by shard."""

from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.keys import tid_of_key
from zeppelin_pipeline.warehouse.queries import load_queries

MOST_SET_ASIDE: Final = 100


@dataclass(frozen=True, slots=True)
class SetAside:
    """What was set aside for one reason at one host.

    Attributes:
        scope: `record`, or `repository` and `key` for those set aside whole.
        reason: why.
        host: of the repositories.
        shards: how many have any.
        items: records, or repositories.
        entries: record entries: those of the repositories, or as many as the records.
        example: an AT URI or a DID.
    """

    scope: str
    reason: str
    host: str
    shards: int
    items: int
    entries: int
    example: str


def read_set_aside(connection: Connection[TupleRow], *, limit: int = MOST_SET_ASIDE) -> tuple[SetAside, ...]:
    """What was set aside, by scope, reason and host, the most first."""
    rows = connection.execute(load_queries()["set_aside_by_host"], {"limit": limit}).fetchall()
    found: list[SetAside] = []
    for scope, reason, host, shards, items, entries, did, nsid, rkey, text in rows:
        key = text if rkey is None or text is not None else tid_of_key(rkey)
        example = did if nsid is None else f"at://{did}/{nsid}/{key}"
        found.append(SetAside(scope, reason, host, shards, items, entries, example))
    return tuple(found)


def read_set_aside_by_shard(
    connection: Connection[TupleRow], *, limit: int = MOST_SET_ASIDE
) -> list[tuple[str, int, str]]:
    """Shards with their record entries set aside and how many of each reason, the most first."""
    return [
        (shard, entries, reasons)
        for shard, entries, reasons in connection.execute(load_queries()["set_aside_by_shard"], {"limit": limit})
    ]
