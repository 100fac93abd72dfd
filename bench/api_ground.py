"""A warehouse for the benches of the API, made of a devnet's repositories, and what there is to ask about in it."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from bench.backfill_input import make_input
from bench.temporary_warehouse import empty_database
from tests.conformance.world import World
from zeppelin_pipeline.aggregates.counts import AGGREGATES, recompute_all
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import make_repository_maker
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.records.canonical import LIKE
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.load import load_shard_batches
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.keys import tid_of_key
from zeppelin_pipeline.warehouse.migrations import migrate
from zeppelin_pipeline.warehouse.packing import unpack_block
from zeppelin_pipeline.warehouse.search_tables import SEARCH_TABLES

SHARDS: Final = 2
#: Records of each collection that are asked about.
MOST_RECORDS: Final = 2000
_TABLES: Final = {
    "app.bsky.feed.post": "post",
    LIKE: "like",
    "app.bsky.feed.generator": "generator",
    "app.bsky.graph.block": "block",
    "app.bsky.graph.list": "list",
    "app.bsky.graph.starterpack": "starter_pack",
    "app.bsky.labeler.service": "labeler",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A warehouse.

    Attributes:
        url: of its database.
        records: in it.
        world: what there is to ask about.
    """

    url: str
    records: int
    world: World


@contextmanager
def devnet_ground(server: EmbeddedPostgres, repos: int, seed: int = 1) -> Generator[Ground]:
    """The repositories of a devnet, loaded, indexed, counted and searchable; its handles are claimed, not verified."""
    config = DevnetConfig(repos=repos, seed=seed)
    made = make_input(config, SHARDS)
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=made.folder.parent) as folder,
        empty_database(server) as url,
    ):
        made.link_packs(Path(folder) / "lake")
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            lake = Lake(str(Path(folder) / "lake"))
            for shard in made.shards:
                extract_shard(lake, shard)
                load_shard_batches(connection, lake, shard)
            _name_accounts(connection, config)
            build_indexes(connection)
            for _ in recompute_all(connection, (*AGGREGATES, *SEARCH_TABLES)):
                pass
            connection.execute("VACUUM ANALYZE")
            world = _survey(connection)
        yield Ground(url, made.records, world)


def _name_accounts(connection: Connection[TupleRow], config: DevnetConfig) -> None:
    accounts = make_repository_maker(config).population.accounts
    now = datetime.now(UTC)
    known = [KnownIdentity(DidDocument(each.did, handle=each.handle), now) for each in accounts]
    store_identities(connection, known, read_key_space(connection))


def _survey(connection: Connection[TupleRow]) -> World:
    world = World()
    rows = connection.execute(
        "SELECT did, handle FROM identity JOIN actor ON actor.id = actor_id JOIN repo USING (actor_id)"
        " WHERE status IS NULL OR status = 'active' ORDER BY did LIMIT %s",
        (MOST_RECORDS,),
    )
    for did, handle in rows:
        world.dids.append(did)
        world.handles.append(handle)
    for collection, table in _TABLES.items():
        for uri, record in _records(connection, collection, table):
            world.uris.setdefault(collection, []).append(uri)
            world.values[uri] = record
    return world


def _records(connection: Connection[TupleRow], collection: str, table: str) -> Generator[tuple[str, dict[str, Any]]]:
    held = sql.SQL("NULL" if collection == LIKE else "raw")
    query = sql.SQL(
        "SELECT did, rkey, text, {held} FROM {table} AS t JOIN actor ON actor.id = t.actor_id"
        " LEFT JOIN record_key AS k ON k.id = t.rkey AND t.rkey < 0 ORDER BY did, rkey LIMIT %s"
    ).format(table=sql.Identifier(table), held=held)
    for did, rkey, text, raw in connection.execute(query, (MOST_RECORDS,)):
        value = {} if raw is None else dag_cbor.to_json(dag_cbor.decode(unpack_block(raw)))
        yield f"at://{did}/{collection}/{tid_of_key(rkey) if text is None else text}", value
