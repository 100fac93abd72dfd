"""Dagster's home folder: the instance's `dagster.yaml` and a workspace that names our one code server.

With DAGSTER_HOME set, only the `dagster.yaml` inside it counts, so the project's own is copied there at each start.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.settings import Settings

WORKSPACE_FILE: Final = "workspace.yaml"
READY_FILE: Final = "storage-ready"
DATABASE_SUFFIX: Final = "_dagster"


def make_dagster_home(home: Path, instance_file: Path, *, location: str, code_server_port: int) -> Path:
    """Make or refresh the folder; return it.

    Args:
        home: where it is to be.
        instance_file: the `dagster.yaml` to put there.
        location: the code location's name, by which Dagster keeps the state of sensors and schedules.
        code_server_port: on loopback.
    """
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(instance_file, home / "dagster.yaml")
    server = {"host": "127.0.0.1", "port": code_server_port, "location_name": location}
    workspace = json.dumps({"load_from": [{"grpc_server": server}]})  # all JSON is YAML
    (home / WORKSPACE_FILE).write_text(workspace, encoding="utf-8")
    return home


def prepare_storage(home: Path, environment: Mapping[str, str]) -> None:
    """Let one process make the tables of Dagster's storage before several programs want them.

    Each program makes what is missing as it starts; at once, on SQLite, they stamp the schema's version twice, and
    nothing starts ever after. Costs some seconds at a storage's first start, and nothing later.

    Raises:
        ConfigurationError: the storage cannot be opened; the message ends with what Dagster said.
    """
    mark = home / READY_FILE
    storage = hashlib.sha256(environment.get("ZEPPELIN_DAGSTER_POSTGRES_URL", "").encode()).hexdigest()
    if mark.is_file() and mark.read_text(encoding="utf-8") == storage:
        return
    command = [sys.executable, "-m", "dagster", "instance", "info"]
    made = subprocess.run(  # noqa: S603 - our own interpreter, no text from outside
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise ConfigurationError(f"Dagster's storage cannot be opened: {made.stderr.strip()[-2000:]}")
    mark.write_text(storage, encoding="utf-8")


def dagster_environment(settings: Settings, home: Path) -> dict[str, str]:
    """The environment of Dagster's programs, and of the runs that they start."""
    return settings.environment() | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PYTHONUNBUFFERED": "1",  # a log that ends in the middle hides the reason
    }


def find_instance_file() -> Path:
    """The project's `dagster.yaml`: of the source tree, or as packed into the wheel.

    Raises:
        ConfigurationError: there is none.
    """
    package = Path(__file__).resolve().parents[1]
    for place in (package.parent / "dagster.yaml", package / "_project" / "dagster.yaml"):
        if place.is_file():
            return place
    raise ConfigurationError(f"no dagster.yaml beside or in {package}")


def make_dagster_database(warehouse_url: str) -> str:
    """Make a database for Dagster's storage beside the warehouse's, unless it is there; return its URL.

    Raises:
        ConfigurationError: the warehouse's user may not make databases.
    """
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        name = f"{connection.info.dbname}{DATABASE_SUFFIX}"
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        try:
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as refused:
            raise ConfigurationError(
                f"the user {connection.info.user} may not make the database {name} for Dagster: "
                "make it, or set ZEPPELIN_DAGSTER_POSTGRES_URL"
            ) from refused
    return _with_database(warehouse_url, name)


def _with_database(url: str, name: str) -> str:
    """The URL with another database; parameters after `?` are kept."""
    address, question, parameters = url.partition("?")
    scheme, _, rest = address.partition("://")
    authority = rest.partition("/")[0]
    return f"{scheme}://{authority}/{name}{question}{parameters}"
