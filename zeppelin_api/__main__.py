"""`python -m zeppelin_api`: serve on the address of the settings."""

import argparse
import gc
import os
import tempfile
from typing import Final

import uvicorn

from zeppelin_api.app import Application, create_app
from zeppelin_api.metrics import MULTIPROCESS_FOLDER
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.errors import ConfigurationError

#: So many new objects are searched for garbage at once: a page of 50 posts makes thousands, and next to no cycles.
_GARBAGE_OBJECTS: Final = 10_000


def main() -> None:
    """Serve until stopped by a signal; a wrong setting is one line, and exit code 2."""
    parser = _parser()
    parser.parse_args()
    try:
        settings = ApiSettings.load()
    except ConfigurationError as error:
        parser.error(str(error))
    if settings.workers == 1:
        _serve(settings)
        return
    with tempfile.TemporaryDirectory(prefix="zeppelin-api-") as folder:
        os.environ[MULTIPROCESS_FOLDER] = folder  # before a worker imports what reads it
        _serve(settings)


def process_app() -> Application:
    """The application of a process that is there for it alone: what it begins with is not searched for garbage."""
    app = create_app()
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS)
    return app


def _parser() -> argparse.ArgumentParser:
    """There are no arguments: only the help, which tells the settings."""
    settings = (
        f"{name}{f' [{default}]' if default else ''}\n  {text}" for name, default, text in ApiSettings.describe()
    )
    return argparse.ArgumentParser(
        prog="python -m zeppelin_api",
        description="Serve the warehouse as an AppView until a signal.",
        epilog="\n\n".join(["settings, by the environment:", *settings]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _serve(settings: ApiSettings) -> None:
    uvicorn.run(
        "zeppelin_api.__main__:process_app" if settings.workers > 1 else process_app(),
        factory=settings.workers > 1,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
    )


if __name__ == "__main__":
    main()
