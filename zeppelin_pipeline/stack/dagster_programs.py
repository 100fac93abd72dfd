"""Dagster's three programs as the supervisor runs them: one code server, one webserver, one daemon.

One code server serves both others: with a workspace of python modules each would load the definitions in a process of
its own.
"""

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zeppelin_pipeline.stack.child import Program, answers
from zeppelin_pipeline.stack.dagster_client import LOCATION, DagsterClient
from zeppelin_pipeline.stack.dagster_home import WORKSPACE_FILE, make_dagster_home, prepare_storage
from zeppelin_pipeline.stack.graphql import DagsterError
from zeppelin_pipeline.stack.supervisor import Supervisor

LOOPBACK: Final = "127.0.0.1"
#: A module of ours, which is started rather than imported: of Dagster only `defs` knows.
CODE_SERVER: Final = "zeppelin_pipeline.defs.code_server"
CONNECT_TIMEOUT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class DagsterPlan:
    """What Dagster is to be started with.

    Attributes:
        home: DAGSTER_HOME.
        instance_file: the `dagster.yaml` to copy there.
        module: the Python module with the definitions.
        environment: of all three programs, DAGSTER_HOME included.
        web_port: of the pages and of GraphQL.
        code_port: of the code server.
    """

    home: Path
    instance_file: Path
    module: str
    environment: Mapping[str, str]
    web_port: int
    code_port: int

    @property
    def url(self) -> str:
        """The webserver's address."""
        return f"http://{LOOPBACK}:{self.web_port}"


def start_dagster(supervisor: Supervisor, plan: DagsterPlan, *, beside: Sequence[Program] = ()) -> DagsterClient:
    """Start the three programs, and others beside them; return when definitions are loaded and the daemon is well.

    Raises:
        ProgramError: a program ended, or was not ready in time.
        DagsterError: the definitions do not load.
        ConfigurationError: Dagster's storage cannot be opened.
    """
    make_dagster_home(plan.home, plan.instance_file, location=LOCATION, code_server_port=plan.code_port)
    prepare_storage(plan.home, plan.environment)
    supervisor.start(_code_server(plan), _webserver(plan), _daemon(plan), *beside)
    return DagsterClient(plan.url)


def _code_server(plan: DagsterPlan) -> Program:
    command = (
        *("-m", CODE_SERVER, "--host", LOOPBACK, "--port", str(plan.code_port)),
        *("--module-name", plan.module, "--location-name", LOCATION),
    )
    return Program("code-server", (sys.executable, *command), plan.environment, lambda: _is_open(plan.code_port))


def _webserver(plan: DagsterPlan) -> Program:
    command = ("-m", "dagster_webserver", "-h", LOOPBACK, "-p", str(plan.web_port), "-w", _workspace(plan))
    is_up = answers(f"{plan.url}/server_info")
    client = DagsterClient(plan.url)
    return Program("webserver", (sys.executable, *command), plan.environment, lambda: is_up() and client.is_loaded())


def _daemon(plan: DagsterPlan) -> Program:
    command = ("-m", "dagster._daemon", "run", "-w", _workspace(plan))
    client = DagsterClient(plan.url)

    def is_well() -> bool:
        try:
            return client.has_healthy_daemons()
        except DagsterError as error:
            if error.kind == "transport":
                return False  # the webserver, whom we ask, is not up yet
            raise

    return Program("daemon", (sys.executable, *command), plan.environment, is_well)


def _workspace(plan: DagsterPlan) -> str:
    return str(plan.home / WORKSPACE_FILE)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=CONNECT_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True
