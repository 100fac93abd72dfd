"""Waits until other sessions of a database wait for a lock. No tests here."""

import time

import psycopg

PATIENCE_SECONDS = 30.0


def wait_until_waiting(watcher: psycopg.Connection, sessions: int = 1) -> None:
    """Returns when that many sessions of the database wait for others' locks."""
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row = watcher.execute(query).fetchone()
        if row is not None and row[0] >= sessions:
            return
        time.sleep(0.01)
    raise AssertionError(f"{sessions} sessions never came to wait")
