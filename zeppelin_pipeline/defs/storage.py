"""Where Dagster keeps its runs, events and schedules: Postgres when a URL is set, SQLite otherwise.

`dagster.yaml` cannot branch on the environment, so this class does. It builds one of Dagster's own two storages, with
the class data of that one: child processes open the same storage without knowing of this class.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.settings import Settings

#: Read by child processes too: the URL itself stays out of their command lines.
SQLALCHEMY_URL_VARIABLE: Final = "ZEPPELIN_DAGSTER_SQLALCHEMY_URL"


class ZeppelinStorage(DagsterStorage, ConfigurableClass):
    """Named in `dagster.yaml`; never an instance itself."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration: settings and DAGSTER_HOME say all."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterPostgresStorage | DagsterSqliteStorage:
        """The storage that the environment asks for."""
        del inst_data, config_value
        url = Settings.load().dagster_postgres_url
        return _sqlite() if url is None else _postgres(url)


def sqlalchemy_url(url: str) -> str:
    """The URL with psycopg2 named: newer versions of SQLAlchemy take psycopg 3, which dagster-postgres cannot use."""
    return "postgresql+psycopg2://" + url.partition("://")[2]


def _postgres(url: str) -> DagsterPostgresStorage:
    os.environ[SQLALCHEMY_URL_VARIABLE] = sqlalchemy_url(url)
    config = {"postgres_url": {"env": SQLALCHEMY_URL_VARIABLE}}
    data = ConfigurableClassData("dagster_postgres", "DagsterPostgresStorage", yaml.safe_dump(config))
    return DagsterPostgresStorage(os.environ[SQLALCHEMY_URL_VARIABLE], inst_data=data)


def _sqlite() -> DagsterSqliteStorage:
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise ConfigurationError("DAGSTER_HOME is not set: start Dagster with `zeppelin up` or `zeppelin demo`")
    config = {"base_dir": str(Path(home) / "storage")}
    data = ConfigurableClassData("dagster._core.storage.sqlite_storage", "DagsterSqliteStorage", yaml.safe_dump(config))
    return DagsterSqliteStorage.from_local(config["base_dir"], inst_data=data)
