"""`zeppelin verify`: repositories rebuilt from the warehouse and proven, with progress, for a person."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow
from rich.console import Console
from rich.progress import Progress

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.audit import Audit, all_repositories, audit_repositories, sample_repositories
from zeppelin_pipeline.repos.difference import find_difference
from zeppelin_pipeline.stack.lake import require_shard
from zeppelin_pipeline.warehouse.connection import connect, read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

#: Repositories asked for at once.
PAGE = 50
#: Where no bar can be drawn, a line says this often how far it is.
_LINE_SECONDS = 30.0
#: Records named of each kind of difference of a repository.
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """Which repositories are asked for: those of some accounts, a sample, a shard, or all."""

    dids: tuple[str, ...]
    is_all: bool
    sample: int
    shard: str | None

    def check(self) -> None:
        """Raises ConfigurationError unless exactly one way of choosing is used."""
        ways = [bool(self.dids), self.is_all, bool(self.sample) or self.shard is not None]
        if sum(ways) != 1:
            raise ConfigurationError("give DIDs, or --sample N, or --shard KEY, or --all")


def run_verify(url: str, lake: Lake, request: AuditRequest, console: Console) -> bool:
    """Audit what is asked for; say which records differ, how much was proven, and how fast.

    Returns:
        Whether every repository that was asked for is held, complete and exact.

    Raises:
        ConfigurationError: nothing, or no shard that there is, was asked for.
    """
    request.check()
    require_shard(lake, request.shard)
    proven = records = 0
    differing = 0
    started = said = time.monotonic()
    with connect(url, application="zeppelin verify", autocommit=True) as connection, Progress(console=console) as bar:
        total = _total(connection, request)
        task = bar.add_task("repositories", total=total)
        for page in _pages(connection, request, read_key_space(connection)):
            audits = list(audit_repositories(connection, page))
            proven += sum(audit.is_exact for audit in audits)
            records += sum(audit.records for audit in audits)
            faults = [line for audit in audits if not audit.is_exact for line in _fault(connection, lake, audit)]
            not_held = _not_held(request, audits)
            differing += len(audits) - sum(audit.is_exact for audit in audits) + len(not_held)
            for fault in [*faults, *(f"{who}: no repository is wholly held" for who in not_held)]:
                console.print(fault, highlight=False, markup=False, soft_wrap=True)
            bar.advance(task, len(page))
            if not console.is_terminal and time.monotonic() - said > _LINE_SECONDS:
                said = time.monotonic()
                console.print(f"{proven + differing:,} of {total:,} repositories", highlight=False)
    seconds = time.monotonic() - started
    console.print(f"{proven:,} repositories with {records:,} records are complete and exact; {differing:,} are not")
    console.print(f"{records / seconds:,.0f} records a second", highlight=False)
    return not differing


def _fault(connection: Connection[TupleRow], lake: Lake, audit: Audit) -> Iterator[str]:
    """What differs of one repository, a line each; of many records the first ones."""
    yield f"{audit.did} at rev {audit.rev}: {audit.detail}"
    difference = find_difference(connection, lake, audit)
    if difference is None:
        yield f"  no CAR of rev {audit.rev} is in the pack: the records cannot be named; `zeppelin refetch` brings one"
        return
    for what, keys in (("missing", difference.missing), ("extra", difference.extra), ("changed", difference.changed)):
        yield from (f"  {what}: at://{audit.did}/{key}" for key in keys[:MOST_NAMED])
        if len(keys) > MOST_NAMED:
            yield f"  and {len(keys) - MOST_NAMED:,} more {what}"


def _not_held(request: AuditRequest, audits: list[Audit]) -> list[str]:
    held = {audit.did for audit in audits}
    return [did for did in request.dids if did not in held]


def _total(connection: Connection[TupleRow], request: AuditRequest) -> int:
    if request.dids:
        return len(request.dids)
    row = connection.execute(load_queries()["count_held_repositories"], {"shard": request.shard}).fetchone()
    held = int(row[0]) if row else 0
    return min(held, request.sample) if request.sample else held


def _pages(connection: Connection[TupleRow], request: AuditRequest, keys: KeySpace) -> Iterator[list[int]]:
    if request.dids:
        yield [keys.actor_id(did) for did in request.dids]
    elif request.sample:
        sample = sample_repositories(connection, shard=request.shard, limit=request.sample)
        yield from (sample[start : start + PAGE] for start in range(0, len(sample), PAGE))
    else:
        yield from all_repositories(connection, shard=request.shard, page=PAGE)
