"""The warehouse of a command: the configured one, or an embedded server's that runs meanwhile."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres, server_settings

DATABASE: Final = "zeppelin"


@contextmanager
def warehouse_of(settings: Settings, keep: Callable[[Callable[[], object]], None] | None = None) -> Generator[Settings]:
    """The settings with a warehouse's URL: the configured one, or the embedded server's, which runs in the block.

    Args:
        settings: of the deployment.
        keep: takes what starts the server anew when it has died, to be called again and again.
    """
    server = embedded_postgres(settings) if settings.postgres_url is None else None
    with server or nullcontext():
        if server is None:
            yield settings
        else:
            if keep is not None:
                keep(server.revive)
            yield settings.model_copy(update={"postgres_url": server.create_database(DATABASE)})


def kept_warehouse(settings: Settings) -> AbstractContextManager[Settings]:
    """The warehouse of a command that looks at what is there, which no command but `up`, `demo` and `migrate` makes.

    Raises:
        ConfigurationError: none was made here.
    """
    if settings.postgres_url is None and not embedded_postgres(settings).folder.exists():
        raise ConfigurationError(
            f"there is no warehouse in {settings.home}: `zeppelin up` makes one; ZEPPELIN_HOME names another folder, "
            "ZEPPELIN_POSTGRES_URL a database"
        )
    return warehouse_of(settings)


def embedded_postgres(settings: Settings) -> EmbeddedPostgres:
    """The server of the home folder; not started."""
    return EmbeddedPostgres(
        settings.home / "postgres",
        settings.postgres_port,
        bindir=settings.postgres_bindir,
        settings=server_settings(settings.postgres_shared_buffers_bytes),
    )
