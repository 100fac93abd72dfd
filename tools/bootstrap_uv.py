# ruff: noqa: INP001 - a program of its own, run by its path before anything is installed
"""Puts `uv` into a folder, on a machine that has Python and nothing else; only the standard library is used.

Tried in order: a virtual environment with pip, a pip that is there already (Debian parts `venv` from Python), and the
wheel itself from the package index, checked against its hash.
"""

import hashlib
import io
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

UV_VERSION = "0.13.9"
LOCK_FILE = Path(__file__).resolve().parents[1] / "uv.lock"
TIMEOUT_SECONDS = 120


def main() -> int:
    """`bootstrap_uv.py FOLDER`: afterwards FOLDER/bin/uv runs."""
    folder = Path(sys.argv[1])
    ways: tuple[Callable[[Path], None], ...] = (_by_venv, _by_pip, _by_wheel)
    for way in ways:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            way(folder)
            subprocess.run([folder / "bin" / "uv", "--version"], check=True)  # noqa: S603 - what was just installed
        except (OSError, subprocess.SubprocessError, LookupError, ValueError) as failure:
            sys.stderr.write(f"bootstrap: {way.__name__[4:]}: {failure}\n")
        else:
            return 0
    sys.stderr.write("bootstrap: uv could not be installed; install it yourself and name it: make UV=/path/to/uv\n")
    return 1


def _by_venv(folder: Path) -> None:
    _run("-m", "venv", folder)
    subprocess.run(  # noqa: S603 - the environment made above
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"],
        check=True,
        capture_output=True,
    )


def _by_pip(folder: Path) -> None:
    _run("-m", "pip", "install", "--quiet", "--target", folder, f"uv=={UV_VERSION}")


def _by_wheel(folder: Path) -> None:
    """The wheel of this platform from the index page, whose links carry the hashes."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or _index_of_the_lock()
    page = f"{index.rstrip('/')}/uv/"
    links = re.findall(r'href="([^"#]+/uv-[^"#/]+\.whl)#sha256=([0-9a-f]{64})', _read(page).decode())
    for link, digest in links:
        name = urllib.parse.unquote(link.rpartition("/")[2])
        if name.startswith(f"uv-{UV_VERSION}-") and _fits(name):
            _unpack(_read(urllib.parse.urljoin(page, link)), digest, folder)
            return
    raise LookupError(f"{page} has no uv {UV_VERSION} for {platform.machine()}")


def _index_of_the_lock() -> str:
    """The index that everything else is about to be installed from."""
    found = re.search(r'source = \{ registry = "([^"]+)" \}', LOCK_FILE.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"{LOCK_FILE.name} names no index")
    return found[1]


def _fits(wheel: str) -> bool:
    """Whether a wheel's name is of this system: Linux (its C library too) or macOS, and the processor."""
    machine = platform.machine()
    if sys.platform == "darwin":
        return "macosx" in wheel and (machine in wheel or "universal2" in wheel)
    wanted = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return wanted in wheel and wheel.endswith(f"{machine}.whl")


def _unpack(wheel: bytes, digest: str, folder: Path) -> None:
    if hashlib.sha256(wheel).hexdigest() != digest:
        raise ValueError("the downloaded wheel has another hash than the index says")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (member,) = [name for name in archive.namelist() if name.endswith(".data/scripts/uv")]
        program = folder / "bin" / "uv"
        program.parent.mkdir(parents=True)
        program.write_bytes(archive.read(member))
    program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _read(url: str) -> bytes:
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError(f"{url} is no address of an index")
    request = urllib.request.Request(url, headers={"Accept": "text/html"})  # noqa: S310 - schemes checked above
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - schemes checked above
        return answer.read()


def _run(*words: str | Path) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)  # noqa: S603 - this very Python


if __name__ == "__main__":
    sys.exit(main())
