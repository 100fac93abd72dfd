"""The table of PDS hosts, brought up to date from the directory's snapshot; and the hosts that documents name."""

from typing import Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.copying import copy_batches
from zeppelin_pipeline.warehouse.queries import load_queries

#: Several times the hosts of the network; each is probed.
MOST_NAMED_HOSTS: Final = 10_000
_COLUMNS = ["host", "url", "witnesses", "state", "version", "last_seen_at", "last_error"]


def store_hosts(connection: Connection[TupleRow], snapshot: pa.Table) -> int:
    """Upsert every host of a snapshot (`lake.schemas.PDS_LIST`) in one transaction; none is ever removed.

    Returns:
        Hosts that were new.
    """
    queries = load_queries()
    with connection.transaction():
        connection.execute(queries["create_sighted_hosts"])
        copy_batches(connection, "sighted_host", snapshot.select(_COLUMNS).combine_chunks().to_batches())
        rows = connection.execute(queries["upsert_hosts"]).fetchall()
    return sum(1 for (is_new,) in rows if is_new)


def named_hosts(connection: Connection[TupleRow]) -> list[str]:
    """URLs of the hosts that accounts' documents name, as written: the most named ones, as anybody can name more."""
    return [url for (url,) in connection.execute(load_queries()["named_hosts"], {"limit": MOST_NAMED_HOSTS})]
