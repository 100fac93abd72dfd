"""People on the official network who act while a test watches, through npm/live.mjs. No tests here."""

import json
import select
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.network.node import NODE, PACKAGE, node_environment
from tests.network.official import Network

_ACT_SECONDS = 60
_STOP_SECONDS = 10


class People:
    """Accounts by their names; each act is done when its call returns."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def act(self, do: str, name: str, **fields: Any) -> Any:
        """Has somebody do one of the acts of live.mjs; gives what that gives.

        Raises:
            AssertionError: the network refused.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "name": name, **fields}) + "\n")
        self._process.stdin.flush()
        is_ready, _, _ = select.select([self._process.stdout], [], [], _ACT_SECONDS)
        answer = json.loads(self._process.stdout.readline() if is_ready else '{"failed": "no answer"}')
        assert "given" in answer, answer["failed"]
        return answer["given"]

    def post(self, name: str, text: str) -> str:
        """Writes a post; gives its URI."""
        record = {"text": text, "createdAt": "2026-01-01T00:00:00.000Z"}
        return self.act("create", name, collection="app.bsky.feed.post", record=record)["uri"]


@contextmanager
def acting_people(network: Network) -> Generator[People]:
    """Somebody who does what a test says, until it ends."""
    with subprocess.Popen(
        [NODE, "live.mjs", network.addresses],
        cwd=PACKAGE,
        env=node_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield People(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # how it is asked to stop
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
