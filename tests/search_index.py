"""What can be searched of a warehouse, made at once. No tests here."""

import psycopg

from zeppelin_pipeline.aggregates.counts import recompute_all
from zeppelin_pipeline.warehouse.search_tables import SEARCH_TABLES


def make_searchable(postgres_url: str) -> None:
    """Makes the search tables of all that is in the warehouse."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for _ in recompute_all(connection, SEARCH_TABLES):
            pass
