"""Where a repository in the warehouse differs from what was signed: which records are missing, extra or changed.

The signed root only says that something differs; what the records should be is in the CAR that the pack keeps of the
same rev. Without one (a live commit came since, or CARs were given up) the records cannot be named.
"""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.audit import Audit, read_records
from zeppelin_pipeline.repos.pack import pack_rows
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.queries import load_queries


@dataclass(frozen=True, slots=True)
class Difference:
    """Records by their keys (`collection/rkey`), sorted.

    Attributes:
        missing: signed, and not in the warehouse.
        extra: in the warehouse, and not signed; or there more than once.
        changed: in both, with other content.
    """

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[str, ...]


def find_difference(connection: Connection[TupleRow], lake: Lake, audit: Audit) -> Difference | None:
    """Compares a repository with its CAR; null when the pack has none of the rev that is held.

    Memory is that of one repository's keys and of its CAR.
    """
    signed = _signed_records(connection, lake, audit)
    if signed is None:
        return None
    actor = read_key_space(connection).actor_id(audit.did)
    held: dict[str, bytes] = {}
    extra: set[str] = set()
    for record in read_records(connection, [actor]):
        key = record.key.decode()
        if key in held or key not in signed:
            extra.add(key)
        held[key] = cid_of(record.block)
    return Difference(
        missing=tuple(sorted(signed.keys() - held.keys())),
        extra=tuple(sorted(extra)),
        changed=tuple(sorted(key for key in signed.keys() & held.keys() if signed[key] != held[key])),
    )


def _signed_records(connection: Connection[TupleRow], lake: Lake, audit: Audit) -> dict[str, bytes] | None:
    actor = read_key_space(connection).actor_id(audit.did)
    for _, shard in connection.execute(load_queries()["shards_of_accounts"], {"actors": [actor]}).fetchall():
        for row in pack_rows(lake, shard, dids={audit.did}):
            if row.car is not None and row.rev == audit.rev:
                return {key.decode(): cid for key, cid in open_repository(row.car).entries}
    return None
