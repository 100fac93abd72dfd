"""A whole stack that runs: Postgres, Dagster, the API; each started in order, all stopped at the end of the block."""

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.child import Program, answers
from zeppelin_pipeline.stack.dagster_client import UNFINISHED_RUNS, DagsterClient
from zeppelin_pipeline.stack.dagster_home import dagster_environment, find_instance_file, make_dagster_database
from zeppelin_pipeline.stack.dagster_programs import DagsterPlan, start_dagster
from zeppelin_pipeline.stack.lake import open_lake
from zeppelin_pipeline.stack.ports import free_port, is_port_free, preferred_port
from zeppelin_pipeline.stack.supervisor import Supervisor
from zeppelin_pipeline.stack.warehouse import warehouse_of
from zeppelin_pipeline.warehouse.migrations import migrate

DEFINITIONS: Final = "zeppelin_pipeline.definitions"
LOADER_POOL: Final = "pg_loader"
#: Pools of work that is done once at a time.
SINGLE_POOLS: Final = ("shard_plan", "lake_compaction")

Say = Callable[[str], None]
"""Takes one line for the operator."""


@dataclass(frozen=True, slots=True)
class RunningStack:
    """What runs, and where.

    Attributes:
        settings: with the warehouse's URL and the ports in use.
        supervisor: of all programs.
        dagster: the client of the webserver.
        dagster_url: the webserver's pages.
        api_url: the API.
    """

    settings: Settings
    supervisor: Supervisor
    dagster: DagsterClient
    dagster_url: str
    api_url: str


@contextmanager
def running_stack(
    settings: Settings, supervisor: Supervisor, say: Say, api_environment: Mapping[str, str] | None = None
) -> Generator[RunningStack]:
    """Start everything; the supervisor stops it when its own block ends.

    Args:
        settings: of the whole stack.
        supervisor: entered by the caller, so that programs of its own can stand below ours.
        say: told what is being started.
        api_environment: settings of the API, before those of our environment.
    """
    say("starting Postgres" if settings.postgres_url is None else "connecting to Postgres")
    with warehouse_of(settings, supervisor.keep) as with_warehouse:
        url = with_warehouse.require_postgres_url()
        applied = migrate(url)
        say(f"warehouse: {f'migrated ({len(applied)} new)' if applied else 'up to date'}")
        sweep_lake(open_lake(settings), say)
        chosen = _choose_ports(with_warehouse, url)
        try:
            yield _start(chosen, supervisor, say, api_program(chosen, api_environment))
        finally:
            supervisor.stop()


def sweep_lake(lake: Lake, say: Say) -> None:
    """Remove the temporary files that killed runs left behind; nothing else would."""
    swept = lake.sweep()
    if swept:
        say(f"lake: {len(swept)} unfinished files of killed runs removed")


def _choose_ports(settings: Settings, warehouse_url: str) -> Settings:
    return settings.model_copy(
        update={
            "dagster_postgres_url": settings.dagster_postgres_url or make_dagster_database(warehouse_url),
            "dagster_port": choose_port(settings, "dagster_port"),
            "api_port": choose_port(settings, "api_port"),
        }
    )


def choose_port(settings: Settings, name: str) -> int:
    """The port of a server: one that was set is that or none, as others look for it there.

    Raises:
        ConfigurationError: somebody has the port that was set.
    """
    port: int = getattr(settings, name)
    if name in settings.model_fields_set and not is_port_free(port):
        raise ConfigurationError(f"port {port} is taken: set {settings.variable(name)} to another one, or not at all")
    return preferred_port(port)


def _start(settings: Settings, supervisor: Supervisor, say: Say, api: Program) -> RunningStack:
    say("starting Dagster and the API")
    home = settings.home / "home"
    plan = DagsterPlan(
        home=home,
        instance_file=find_instance_file(),
        module=DEFINITIONS,
        environment=dagster_environment(settings, home),
        web_port=settings.dagster_port,
        code_port=free_port(),
    )
    dagster = start_dagster(supervisor, plan, beside=[api])
    _settle(dagster, settings)
    say(f"to be watched: {plan.url} (Dagster), {api_url(settings)} (status)")
    return RunningStack(settings, supervisor, dagster, plan.url, api_url(settings))


def api_url(settings: Settings) -> str:
    """Where the API is."""
    return f"http://{settings.api_host}:{settings.api_port}"


def api_program(settings: Settings, overriding: Mapping[str, str] | None = None) -> Program:
    """The API on its port; its DID is of the local host unless the environment names another.

    No CDN knows the images of hosts at private addresses: they are our own.
    """
    environment = settings.environment()
    local = {
        "ZEPPELIN_API_DID": f"did:web:{quote(f'localhost:{settings.api_port}', safe='')}",
        "ZEPPELIN_API_SIGNING_KEY_FILE": str(settings.home / "api-signing-key"),
    }
    if settings.allow_private_hosts:
        local["ZEPPELIN_API_IMAGE_URL_PATTERN"] = f"{api_url(settings)}/img/{{preset}}/plain/{{did}}/{{cid}}"
    health = f"{api_url(settings)}/xrpc/_health"
    return Program(
        "api", (sys.executable, "-m", "zeppelin_api"), local | environment | dict(overriding or {}), answers(health)
    )


def _settle(dagster: DagsterClient, settings: Settings) -> None:
    """Bring Dagster's memory in line with the world: we hold the folder's lock, so no run of an earlier stack lives."""
    dagster.set_pool_limit(LOADER_POOL, settings.load_concurrency)
    for pool in SINGLE_POOLS:
        dagster.set_pool_limit(pool, 1)
    for backfill in dagster.unfinished_backfills():
        dagster.cancel_backfill(backfill)
    dagster.terminate_runs([run.run_id for run in dagster.runs(statuses=UNFINISHED_RUNS)], is_dead=True)
