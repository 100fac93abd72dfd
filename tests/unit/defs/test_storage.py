"""Where Dagster keeps its own data."""

import pytest
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from zeppelin_pipeline.defs.storage import ZeppelinStorage, sqlalchemy_url
from zeppelin_pipeline.errors import ConfigurationError


def test_psycopg2_is_named_whatever_the_url_begins_with() -> None:
    assert sqlalchemy_url("postgres://u:p@h:1/d") == "postgresql+psycopg2://u:p@h:1/d"
    assert sqlalchemy_url("postgresql://u:p@h:1/d") == "postgresql+psycopg2://u:p@h:1/d"


def test_without_a_url_runs_are_kept_in_sqlite_under_dagsters_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.delenv("ZEPPELIN_DAGSTER_POSTGRES_URL", raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    storage = ZeppelinStorage.from_config_value(None, {})
    assert isinstance(storage, DagsterSqliteStorage)
    assert storage.base_dir == f"{tmp_path}/storage"
    assert storage.inst_data is not None
    assert storage.inst_data.class_name == "DagsterSqliteStorage"


def test_without_a_home_the_operator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEPPELIN_DAGSTER_POSTGRES_URL", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(ConfigurationError, match="DAGSTER_HOME"):
        ZeppelinStorage.from_config_value(None, {})
