"""`python -m zeppelin_api`: serve on the address of the settings."""

import uvicorn

from zeppelin_api.app import create_app
from zeppelin_api.settings import load_settings


def main() -> None:
    """Serve until stopped by a signal."""
    settings = load_settings()
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False)


if __name__ == "__main__":
    main()
