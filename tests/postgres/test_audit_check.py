"""The asset check that audits a sample: it looks only where a look is cheap, and sees what differs."""

import psycopg
import pytest

from tests.fakes.batches import random_shard
from zeppelin_pipeline.defs import audit_check
from zeppelin_pipeline.defs.audit_check import audit_sample, check_accounts
from zeppelin_pipeline.repos.audit import Audit
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.load import load_shard


def test_repositories_are_audited_once_the_indexes_stand(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def audit_repositories(_connection: psycopg.Connection, actors: list[int]) -> list[Audit]:
        asked.extend(actors)
        return [Audit("did:plc:one", "3jzfcijpj2z2a", 1, 2, False, "one record is missing")]

    monkeypatch.setattr(audit_check, "audit_repositories", audit_repositories)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        load_shard(connection, random_shard(1).batches())
        put_off = audit_sample(connection)
        assert (put_off.passed, put_off.metadata["put_off_until_indexed"].value, asked) == (True, True, [])

        build_indexes(connection)
        audited = audit_sample(connection)
        assert asked
        assert (audited.passed, audited.metadata["put_off_until_indexed"].value) == (False, False)
        assert "one record is missing" in str(audited.metadata["differing"].value)


def test_a_row_that_is_gone_is_missed_once_the_indexes_stand(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        result = load_shard(connection, random_shard(1).batches())
        assert check_accounts(connection, result).metadata["put_off_until_indexed"].value is True
        build_indexes(connection)
        whole = check_accounts(connection, result)
        assert (whole.passed, whole.metadata["put_off_until_indexed"].value) == (True, False)
        connection.execute('DELETE FROM "like" WHERE ctid = (SELECT min(ctid) FROM "like")')
        short = check_accounts(connection, result)
        assert not short.passed
        assert whole.metadata["rows_found"] == short.metadata["rows_expected"] != short.metadata["rows_found"]
