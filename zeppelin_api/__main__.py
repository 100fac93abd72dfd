"""`python -m zeppelin_api`: serve on the address of the settings."""

import os
import tempfile

import uvicorn

from zeppelin_api.app import create_app
from zeppelin_api.metrics import MULTIPROCESS_FOLDER
from zeppelin_api.settings import ApiSettings, load_settings


def main() -> None:
    """Serve until stopped by a signal."""
    settings = load_settings()
    if settings.workers == 1:
        _serve(settings)
        return
    with tempfile.TemporaryDirectory(prefix="zeppelin-api-") as folder:
        os.environ[MULTIPROCESS_FOLDER] = folder  # before a worker imports what reads it
        _serve(settings)


def _serve(settings: ApiSettings) -> None:
    uvicorn.run(
        "zeppelin_api.app:create_app" if settings.workers > 1 else create_app(settings),
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
