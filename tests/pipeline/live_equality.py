"""Whether a warehouse holds what the devnet has, once its firehose was followed. No tests here."""

import psycopg

from zeppelin_pipeline.aggregates.counts import recompute, recompute_all
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.background import DevnetHandle
from zeppelin_pipeline.devnet.model import AccountStatus
from zeppelin_pipeline.repos.audit import Audit, all_repositories, audit_repositories
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges


def drift_of_clean_ranges(url: str) -> int:
    """How many counts are wrong, once the ranges that are known to be dirty were recomputed."""
    with psycopg.connect(url) as connection:
        for dirty in list_dirty_ranges(connection):
            recompute(connection, dirty.aggregate, dirty.key_range)
    return _drift(url)


def _drift(url: str) -> int:
    """How many counts a recomputation finds wrong."""
    with psycopg.connect(url) as connection:
        return sum(result.drifted for result in recompute_all(connection))


def inexact(url: str) -> list[Audit]:
    """Repositories whose rows are not those of their signed commit."""
    with psycopg.connect(url) as connection:
        return [
            audit
            for actors in all_repositories(connection, shard=None)
            for audit in audit_repositories(connection, actors)
            if not audit.is_exact
        ]


def states(url: str) -> dict[str, tuple[str, str | None, str | None]]:
    """State, status and rev of each account's repository."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT did, state, status, rev FROM repo JOIN actor ON id = actor_id").fetchall()
    return {did: (state, status, None if rev is None else int_to_tid(rev)) for did, state, status, rev in rows}


def assert_equal_to(network: DevnetHandle, url: str) -> None:
    """The warehouse holds exactly what active accounts have, and says how the others stand."""
    held = states(url)
    for account in network.accounts():
        status = network.status_of(account.did)
        if status is AccountStatus.ACTIVE:
            assert held[account.did] == ("synchronized", "active", network.rev_of(account.did)), account.did
        else:
            assert held[account.did][1] in {status, "not-found" if status is AccountStatus.DELETED else status}
    assert not inexact(url)
    assert drift_of_clean_ranges(url) == 0
