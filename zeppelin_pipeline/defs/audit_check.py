"""The asset checks that ask the warehouse itself: are all rows there, and do they give back what was signed?

Both are put off while indexes are missing, as in the first bulk load: each look would read whole tables. The check of
`warehouse_indexes` then makes up for it.
"""

import warnings
from typing import Final

import dagster as dg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.defs.metadata import markdown_table
from zeppelin_pipeline.repos.audit import Audit, audit_repositories, count_shard, sample_repositories
from zeppelin_pipeline.warehouse.indexes import has_all_indexes
from zeppelin_pipeline.warehouse.load import LoadResult

SAMPLED_REPOSITORIES: Final = 20
_NAME: Final = "sampled_repositories_verify"
_ACCOUNTS: Final = "accounts_close"


def audit_check_spec(asset: str, partitions: dg.PartitionsDefinition[str] | None = None) -> dg.AssetCheckSpec:
    """The check, to be declared by an asset whose runs end with `audit_sample`."""
    return check_spec(
        _NAME,
        asset,
        "Repositories rebuilt from the warehouse alone have the root that their commit signs.",
        partitions,
        is_blocking=True,
    )


def accounts_check_spec(asset: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetCheckSpec:
    """The check, to be declared by an asset whose runs end with `check_accounts`."""
    return check_spec(
        _ACCOUNTS,
        asset,
        "Every record entry of the shard is in a table or in quarantine.",
        partitions,
        is_blocking=True,
    )


def check_spec(
    name: str,
    asset: str,
    description: str,
    partitions: dg.PartitionsDefinition[str] | None = None,
    *,
    is_blocking: bool = False,
) -> dg.AssetCheckSpec:
    """A check; of a partitioned asset one for each partition.

    Without its partitions Dagster takes the run that was queued last for the newest, whatever partition was made last,
    and calls the check "not evaluated".
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # each process that loads the definitions would say it
        return dg.AssetCheckSpec(
            name, asset=asset, description=description, blocking=is_blocking, partitions_def=partitions
        )


def check_accounts(connection: Connection[TupleRow], result: LoadResult) -> dg.AssetCheckResult:
    """Compare what the load says with the rows that the tables have; without indexes, only the load's own account."""
    loaded = sum(result.rows.values())
    is_indexed = has_all_indexes(connection)
    expected, found = count_shard(connection, result.shard) if is_indexed else (loaded, loaded)
    return dg.AssetCheckResult(
        check_name=_ACCOUNTS,
        passed=expected == found and result.entries == loaded + result.quarantined,
        metadata={
            "entries": result.entries,
            "quarantined": result.quarantined,
            "rows_in_batches": loaded,
            "rows_expected": expected,
            "rows_found": found,
            "put_off_until_indexed": not is_indexed,
        },
    )


def audit_sample(connection: Connection[TupleRow], shard: str | None = None) -> dg.AssetCheckResult:
    """Audit repositories at random, of a shard or of all; none while indexes are missing."""
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
