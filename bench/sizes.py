"""Bytes of Postgres for a record, by table and index: `python -m bench.sizes`.

Of a synthetic warehouse, loaded and indexed; or with `--url` of one that is there.
"""

import argparse
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from bench.synthetic_shards import synthetic_shard
from bench.temporary_warehouse import empty_warehouse, temporary_server
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.queries import load_queries

#: The sum that must not be passed (docs: size of the warehouse).
BUDGET_BYTES = 250


@dataclass(frozen=True, slots=True)
class RelationSize:
    """A table (its rows and their overflow) or an index.

    Attributes:
        name: of the relation.
        table: that it belongs to: its own name, for a table.
        rows: of the table, about.
        bytes: of the relation.
    """

    name: str
    table: str
    rows: int
    bytes: int


def main() -> None:
    options = _parser().parse_args()
    if options.url:
        with psycopg.connect(options.url, autocommit=True) as connection:
            report(connection)
        return
    with temporary_server() as server, empty_warehouse(server) as connection:
        for number in range(options.shards):
            shape = {"records": options.rows, "repositories": options.repositories, "accounts": options.accounts}
            load_shard(connection, synthetic_shard(number, **shape))
        build_indexes(connection)
        report(connection)


def report(connection: Connection[TupleRow]) -> None:
    """Prints every relation that takes room, its bytes for each of its own rows and for each record of the whole."""
    [(records,)] = connection.execute("SELECT greatest(sum(entries - quarantined), 1)::bigint FROM load").fetchall()
    print_sizes(relation_sizes(connection), records)


def relation_sizes(connection: Connection[TupleRow]) -> list[RelationSize]:
    """The tables of the schema that have rows, the largest first, each followed by its indexes."""
    connection.execute("VACUUM (ANALYZE)")
    queries = load_queries()
    indexes: dict[str, list[tuple[str, int]]] = {}
    for table, index, size in connection.execute(queries["index_sizes"]):
        indexes.setdefault(table, []).append((index, size))
    return [
        RelationSize(name, table, rows, size)
        for table, table_bytes, _, rows in connection.execute(queries["relation_sizes"])
        if rows
        for name, size in [(table, table_bytes), *indexes.get(table, [])]
    ]


def print_sizes(sizes: list[RelationSize], records: int) -> None:
    """The table of all, and its sum against the budget."""
    print(f"{'relation':<28} {'rows':>12} {'MB':>9} {'bytes/row':>10} {'bytes/record':>13}")
    for size in sizes:
        name = size.name if size.name == size.table else f"  {size.name}"
        rates = f"{size.bytes / size.rows:>10,.1f} {size.bytes / records:>13,.1f}"
        print(f"{name:<28} {size.rows:>12,} {size.bytes / 1e6:>9,.1f} {rates}")
    total = sum(size.bytes for size in sizes)
    print(
        f"{'all':<28} {records:>12,} {total / 1e6:>9,.1f} {'':>10} {total / records:>13,.1f}  (budget {BUDGET_BYTES})"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a warehouse; a synthetic one is made when it is left out")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of a shard")
    parser.add_argument("--repositories", type=int, default=2_000, help="of a shard")
    parser.add_argument("--accounts", type=int, default=100_000)
    return parser


if __name__ == "__main__":
    main()
