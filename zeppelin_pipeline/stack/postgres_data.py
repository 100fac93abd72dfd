"""How an embedded server's data folder is made: `initdb`, with a password of its own."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.stack.postgres_account import ServerAccount


def make_data_folder(folder: Path, superuser: str, bindir: Path, account: ServerAccount) -> None:
    """Make `folder/data` and `folder/password`.

    The work is done beside the place and renamed: a folder half made is never taken for a whole one.

    Raises:
        ConfigurationError: `initdb` refused; the message has its words.
    """
    password = secrets.token_urlsafe(24)
    _write_private(folder / "password", password)
    handed_over = folder / "initdb-password"
    _write_private(handed_over, password)
    account.own(handed_over)
    unfinished = folder / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    try:
        _run_initdb(bindir, account, unfinished, superuser, handed_over)
    finally:
        handed_over.unlink()
    unfinished.rename(folder / "data")


def _run_initdb(bindir: Path, account: ServerAccount, data: Path, superuser: str, password_file: Path) -> None:
    """A new cluster with scram passwords; the builtin locale provider needs no locale packages of the system's."""
    command = [
        *account.prefix,
        bindir / "initdb",
        f"--pgdata={data}",
        f"--username={superuser}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    made = subprocess.run(  # noqa: S603 - the server's own binary
        command, check=False, capture_output=True, text=True, cwd="/", **account.identity()
    )
    if made.returncode != 0:
        raise ConfigurationError(f"initdb failed in {data}: {made.stderr.strip()}")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(text)
