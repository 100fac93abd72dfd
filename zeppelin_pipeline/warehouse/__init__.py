"""Postgres: keys, connection, migrations, COPY, loads, indexes."""
