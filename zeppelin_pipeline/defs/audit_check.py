"""The asset check that rebuilds repositories from the warehouse alone and compares them with what was signed."""

from typing import Final

import dagster as dg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.defs.metadata import markdown_table
from zeppelin_pipeline.repos.audit import Audit, audit_repositories, sample_repositories
from zeppelin_pipeline.warehouse.indexes import has_all_indexes

SAMPLED_REPOSITORIES: Final = 20
_NAME: Final = "sampled_repositories_verify"


def audit_check_spec(asset: str) -> dg.AssetCheckSpec:
    """The check, to be declared by an asset whose runs end with `audit_sample`."""
    return dg.AssetCheckSpec(
        _NAME,
        asset=asset,
        description="Repositories rebuilt from the warehouse alone have the root that their commit signs.",
        blocking=True,
    )


def audit_sample(connection: Connection[TupleRow], shard: str | None = None) -> dg.AssetCheckResult:
    """Audit repositories at random, of a shard or of all.

    None while indexes are missing, as in the first bulk load: each look would read whole tables. The check of
    `warehouse_indexes` then makes up for it.
    """
    is_indexed = has_all_indexes(connection)
    audits: list[Audit] = []
    if is_indexed:
        actors = sample_repositories(connection, shard=shard, limit=SAMPLED_REPOSITORIES)
        audits = list(audit_repositories(connection, actors))
    differing = [audit for audit in audits if not audit.is_exact]
    return dg.AssetCheckResult(
        check_name=_NAME,
        passed=not differing,
        metadata={
            "sampled": len(audits),
            "put_off_until_indexed": not is_indexed,
            "records": sum(audit.records for audit in audits),
            "differing": markdown_table(["did", "rev", "what"], [(a.did, a.rev, a.detail) for a in differing]),
        },
    )
