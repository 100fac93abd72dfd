"""Verified commits one by one, and many of them as the columns that are applied. No tests here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.records.commits import COMMITS
from zeppelin_pipeline.records.live import apply_commits
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.operations import ApplyResult


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """A row of COMMITS; for each change the new record's bytes, None for a deletion."""

    did: str
    rev: int
    since: int | None
    prev_data: bytes | None
    data: bytes
    block: bytes
    changes: Sequence[Change]
    records: Sequence[bytes | None]
    seen_at_micros: int
    is_sync: bool = False

    def row(self) -> dict[str, Any]:
        """As a table has it."""
        pairs = zip(self.changes, self.records, strict=True)
        return {
            "did": self.did,
            "rev": self.rev,
            "since": self.since,
            "prev_data": self.prev_data,
            "data": self.data,
            "commit": self.block,
            "is_sync": self.is_sync,
            "seen_micros": self.seen_at_micros,
            "operations": [
                {"key": change.key, "prev": change.old_cid, "cid": change.new_cid, "block": record}
                for change, record in pairs
            ],
        }


def commit_batch(commits: Sequence[LiveCommit]) -> pa.RecordBatch:
    """The commits in their order."""
    return pa.RecordBatch.from_pylist([commit.row() for commit in commits], schema=COMMITS)


def apply_each(
    connection: psycopg.Connection, keys: BatchKeys, commits: Sequence[LiveCommit], **options: Any
) -> ApplyResult:
    """`apply_commits` of commits one by one, in one batch."""
    return apply_commits(connection, keys, commit_batch(commits), **options)
