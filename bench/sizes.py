"""Bytes of Postgres for a record, by table and index: `python -m bench.sizes`.

Of a synthetic warehouse, loaded and indexed; or with `--url` of one that is there.
"""

import argparse

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
    connection.execute("VACUUM (ANALYZE)")
    queries = load_queries()
    [(records,)] = connection.execute("SELECT greatest(sum(entries - quarantined), 1)::bigint FROM load").fetchall()
    indexes: dict[str, list[tuple[str, int]]] = {}
    for table, index, size in connection.execute(queries["index_sizes"]):
        indexes.setdefault(table, []).append((index, size))
    print(f"{'relation':<28} {'rows':>12} {'MB':>9} {'bytes/row':>10} {'bytes/record':>13}")
    total = 0
    for table, table_bytes, index_bytes, rows in connection.execute(queries["relation_sizes"]):
        if not rows:
            continue
        total += table_bytes + index_bytes
        for name, size in [(table, table_bytes), *((f"  {index}", size) for index, size in indexes.get(table, []))]:
            print(f"{name:<28} {rows:>12,} {size / 1e6:>9,.1f} {size / rows:>10,.1f} {size / records:>13,.1f}")
    per_record = total / records
    print(f"{'all':<28} {records:>12,} {total / 1e6:>9,.1f} {'':>10} {per_record:>13,.1f}  (budget {BUDGET_BYTES})")


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
