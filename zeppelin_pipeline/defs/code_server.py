"""Dagster's code server, whose runs are forks of a process that has everything imported; started as a program.

Dagster's own server starts an interpreter for each run, which imports Dagster, Arrow and the definitions anew: more
processor time than most runs have work. Here one process imports them once, and is forked for each run. It does nothing
else, so it has no connection, and no lock that is taken, which a fork would break.

Definitions are loaded once: new code is taken up by starting the stack anew.
"""

import argparse
import logging
import multiprocessing
import signal
import sys
import threading
from multiprocessing import forkserver
from pathlib import Path
from typing import Final

from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.server import DagsterApiServer, DagsterGrpcServer
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers

_LOG: Final = logging.getLogger("dagster.code_server")
#: What a run needs beside the definitions.
_RUNS_IMPORT: Final = "dagster._grpc.impl"


class ForkingApiServer(DagsterApiServer):
    """Dagster's server, but for how a run's process is made."""

    def __init__(
        self, module: str, location: str, ended: threading.Event, workers: FuturesAwareThreadPoolExecutor
    ) -> None:
        """Load the definitions of a module.

        Args:
            module: with the definitions.
            location: the code location's name.
            ended: set when the server is to end.
            workers: that answer requests.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([module, _RUNS_IMPORT])
        forkserver.ensure_running()  # imports while we do
        super().__init__(
            server_termination_event=ended,
            logger=_LOG,
            server_threadpool_executor=workers,
            loadable_target_origin=LoadableTargetOrigin(
                executable_path=sys.executable, module_name=module, working_directory=str(Path.cwd())
            ),
            lazy_load_user_code=True,  # an error is then shown in the pages
            location_name=location,
        )
        self._mp_ctx = context


def main() -> None:
    """Serve until a signal."""
    options = _options()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` starts us with it ignored, and SIGTERM
    setup_interrupt_handlers()  # would then be ignored as well, as it is given the same handler here
    configure_loggers(log_level="INFO")
    ended = threading.Event()
    workers = FuturesAwareThreadPoolExecutor()
    servicer = ForkingApiServer(options.module_name, options.location_name, ended, workers)
    server = DagsterGrpcServer(ended, servicer, _LOG, workers, host=options.host, port=options.port)
    try:
        server.serve()
    except KeyboardInterrupt:
        return


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--module-name", required=True, help="the module with the definitions")
    parser.add_argument("--location-name", required=True, help="the code location's name")
    return parser.parse_args()


if __name__ == "__main__":
    main()
