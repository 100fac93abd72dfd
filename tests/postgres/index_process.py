"""Builds indexes, to be killed at it: `python -m tests.postgres.index_process URL`. No tests here."""

import sys

import psycopg

from zeppelin_pipeline.warehouse.indexes import build_indexes


def main() -> None:
    """Says `ready` on a line of its own when the build begins."""
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        build_indexes(connection)


if __name__ == "__main__":
    main()
