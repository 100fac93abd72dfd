"""What programs load before they begin: each only what it works with, or it starts a second later, at every restart."""

import json
import subprocess
import sys

import pytest

from zeppelin_pipeline.cli import EXIT_CONFIGURATION

NOWHERE = "postgresql://zeppelin@127.0.0.1:1/nothing"
#: Runs a command of `zeppelin` until it ends, then tells its exit code and what it has loaded.
PROBE = """
import json, sys
from zeppelin_pipeline.cli import main
sys.argv = ["zeppelin", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]))
"""


def loaded(program: str, *arguments: str) -> tuple[int | None, set[str]]:
    run = subprocess.run(
        (sys.executable, "-c", program, *arguments),
        env={"ZEPPELIN_POSTGRES_URL": NOWHERE, "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    code, modules = json.loads(run.stdout.splitlines()[-1])
    return code, set(modules)


def test_help_loads_nothing_that_a_command_works_with() -> None:
    code, modules = loaded(PROBE, "--help")

    assert code == 0
    assert not modules & {"dagster", "polars", "numba", "numpy", "pyarrow", "psycopg", "pydantic", "httpx2", "asyncio"}


@pytest.mark.parametrize(
    ("command", "works_with", "unneeded"),
    [
        ("migrate", "psycopg", {"numba", "pyarrow", "numpy", "httpx2", "fsspec"}),
        ("status", "fsspec", {"numba", "httpx2", "pyarrow.compute"}),
        ("verify --all", "numba", {"httpx2"}),
        ("firehose", "websockets", {"sqlalchemy", "starlette", "dns"}),
        ("labels", "websockets", {"numba", "pyarrow", "numpy", "fsspec", "dns"}),
    ],
)
def test_a_command_loads_neither_dagster_nor_polars_nor_what_it_does_not_use(
    command: str, works_with: str, unneeded: set[str]
) -> None:
    code, modules = loaded(PROBE, *command.split())

    assert code == EXIT_CONFIGURATION  # no server is there: all is loaded before it is asked for
    assert works_with in modules
    assert not modules & {"dagster", "polars", *unneeded}


def test_the_devnet_loads_nothing_of_the_pipeline_but_the_protocol() -> None:
    code, modules = loaded(PROBE, "devnet", "--web-accounts", "1")

    assert code == EXIT_CONFIGURATION  # such accounts need ports that are known
    assert "zeppelin_pipeline.devnet.network" in modules
    assert not modules & {"dagster", "polars", "pyarrow", "psycopg", "fastapi"}


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("zeppelin_pipeline.firehose.verifier_process", {"pyarrow.compute", "regex", "httpx2", "fsspec", "pydantic"}),
        ("bench.chaos_stages", {"sqlalchemy"}),
        ("zeppelin_api.app", {"numba", "numpy", "pyarrow", "fsspec", "psycopg"}),
    ],
)
def test_a_process_of_its_own_does_without_dagster_and_what_it_does_not_use(module: str, unneeded: set[str]) -> None:
    program = f"import json, sys, {module}; print(json.dumps([None, sorted(sys.modules)]))"

    assert not loaded(program)[1] & {"dagster", *unneeded}
