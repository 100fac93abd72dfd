"""Who accounts are, in the warehouse: documents stored, and the queue of accounts to be resolved anew. No network."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """What a DID's document said at a time; a document that names nothing is that of an account that is no more."""

    document: DidDocument
    resolved_at: datetime


def refresh_identity(connection: Connection[TupleRow], *dids: str, keys: KeySpace | None = None) -> None:
    """Has accounts resolved anew and their handles verified again, soon and whatever is killed meanwhile.

    For an `#identity` event: call it in the transaction that holds the event. It asks nobody; `identity.refresh`
    does, within a minute. The caller drops what it has cached of these accounts itself.

    Args:
        connection: in the caller's transaction, or in autocommit.
        dids: accounts, of any method.
        keys: of the warehouse; read from it when left out.
    """
    if not dids:
        return
    keys = keys or read_key_space(connection)
    connection.execute(
        load_queries()["request_refresh"],
        {"actors": [keys.actor_id(did) for did in set(dids)], "dids": list(set(dids))},
    )


def store_identities(
    connection: Connection[TupleRow],
    known: Sequence[KnownIdentity],
    keys: KeySpace,
    *,
    is_recheck: bool = False,
    is_mirror: bool = False,
) -> list[str]:
    """Stores documents; an older one never replaces a newer one.

    Args:
        connection: in a transaction, or in autocommit.
        known: one for a DID.
        keys: of the warehouse.
        is_recheck: whether handles that have not changed are to be verified again, too.
        is_mirror: whether an older document that says the same adds what the newer one lacks.

    Returns:
        DIDs that were left out, as another DID holds their key.
    """
    if not known:
        return []
    collided = set(name_accounts(connection, [each.document.did for each in known], keys))
    kept = [each for each in known if each.document.did not in collided]
    documents = [each.document for each in kept]
    connection.execute(
        load_queries()["store_identities"],
        {
            "actors": [keys.actor_id(document.did) for document in documents],
            "resolved_at": [each.resolved_at for each in kept],
            "handles": [document.handle for document in documents],
            "pds": [document.pds for document in documents],
            "signing_keys": [document.signing_key for document in documents],
            "label_keys": [document.label_key for document in documents],
            "labelers": [document.labeler for document in documents],
            "feed_generators": [document.feed_generator for document in documents],
            "is_recheck": is_recheck,
            "is_mirror": is_mirror,
        },
    )
    return sorted(collided)


def name_accounts(connection: Connection[TupleRow], dids: Sequence[str], keys: KeySpace) -> list[str]:
    """Enters accounts into the dictionary; gives the DIDs whose key another DID holds."""
    parameters = {"actors": [keys.actor_id(did) for did in dids], "dids": list(dids)}
    connection.execute(load_queries()["name_actors"], parameters)
    return [did for (did,) in connection.execute(load_queries()["collided_actors"], parameters)]
