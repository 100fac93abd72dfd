"""The official labeler of npm/ozone.mjs as a context manager. No tests here."""

import json
import select
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.network.node import NODE, PACKAGE, node_environment
from tests.network.official import STOP_SECONDS, Network

START_SECONDS = 120
_ACT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ozone:
    """A running labeler: its account's DID, and its process."""

    did: str
    process: subprocess.Popen[str]

    def label(
        self, subject: str | Mapping[str, str], *, create: Sequence[str] = (), negate: Sequence[str] = ()
    ) -> None:
        """Has a moderator label an account (by DID) or a record (by URI and CID), or take back what was said."""
        assert self.process.stdin is not None
        order = {"subject": subject, "create": create, "negate": negate}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        _hear(self.process, _ACT_SECONDS)


@contextmanager
def running_ozone(network: Network, postgres_url: str, folder: Path) -> Generator[Ozone]:
    """Starts it with an empty database and ends it; what it logs is in the folder."""
    with (
        (folder / "ozone.err").open("wb") as errors,
        subprocess.Popen(
            [NODE, "--no-deprecation", "ozone.mjs", network.addresses],
            cwd=PACKAGE,
            env={
                **node_environment(),
                "DB_POSTGRES_URL": postgres_url,
                "LOG_ENABLED": "true",
                "LOG_LEVEL": "warn",
                "LOG_DESTINATION": str(folder / "ozone.log"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Ozone(_hear(process, START_SECONDS, folder)["did"], process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # how it is asked to stop
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _hear(process: subprocess.Popen[str], seconds: float, folder: Path | None = None) -> dict[str, Any]:
    assert process.stdout is not None
    is_ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline() if is_ready else ""
    said = "" if folder is None else (folder / "ozone.err").read_text(encoding="utf-8")
    assert line, f"Ozone did not answer\n{said}"
    return json.loads(line)
