"""The account that an embedded PostgreSQL runs under: it refuses to be root, and containers are often root alone."""

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from zeppelin_pipeline.errors import ConfigurationError

NOBODY = 65534
"""The user and group `nobody` of every Linux; no entry in /etc/passwd is needed to run under it."""


class ProcessIdentity(TypedDict, total=False):
    """The arguments of `subprocess` that set a child's account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """How to start the server's programs so that they do not see themselves as root.

    Attributes:
        prefix: words to put before each command line.
        uid: the account to switch to and to give the files to; None to stay who we are.
    """

    prefix: tuple[str, ...] = ()
    uid: int | None = None

    def identity(self) -> ProcessIdentity:
        """Arguments for `subprocess.Popen`."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.uid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)


OURSELVES = ServerAccount()
OWN_NAMESPACE = ServerAccount(prefix=("unshare", "--user", "--map-user=1000", "--map-group=1000"))
"""Root outside, user 1000 in a user namespace of its own: for folders that nobody else may enter."""


def choose_account(bindir: Path, data_dir: Path) -> ServerAccount:
    """The account for a data folder, which need not exist yet.

    An existing folder stays with its owner. For a new one, root hands over to `nobody` where that user can reach the
    binaries and the folder, and to a user namespace where it cannot (a checkout under /root).

    Raises:
        ConfigurationError: we are root, `nobody` cannot reach the paths, and user namespaces are not allowed here.
    """
    if os.geteuid() != 0:
        return OURSELVES
    if data_dir.exists():
        owner = data_dir.stat().st_uid
        return ServerAccount(uid=owner) if owner != 0 else OWN_NAMESPACE
    if _is_open_to_all(data_dir.parent) and _can_run(bindir, ServerAccount(uid=NOBODY)):
        return ServerAccount(uid=NOBODY)
    if shutil.which("unshare") and _can_run(bindir, OWN_NAMESPACE):
        return OWN_NAMESPACE
    raise ConfigurationError(
        f"PostgreSQL does not run as root, user {NOBODY} cannot reach {data_dir.parent} or {bindir}, and user "
        "namespaces are not allowed here: run as another user, or set ZEPPELIN_POSTGRES_URL"
    )


def _is_open_to_all(folder: Path) -> bool:
    """Whether every user may pass through the folder and all above it."""
    resolved = folder.resolve()
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (resolved, *resolved.parents))


def _can_run(bindir: Path, account: ServerAccount) -> bool:
    try:
        subprocess.run(  # noqa: S603 - the server's own binary, asked for its version
            [*account.prefix, bindir / "postgres", "--version"],
            check=True,
            capture_output=True,
            timeout=10,
            cwd="/",
            **account.identity(),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True
