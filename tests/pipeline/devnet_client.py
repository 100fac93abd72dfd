"""A small client for the tests that ask a devnet over HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx2

from zeppelin_pipeline.devnet.model import Account


@dataclass(frozen=True, slots=True)
class DevnetClient:
    """Asks any of a devnet's servers."""

    http: httpx2.Client

    def get(self, base_url: str, method: str, **parameters: str | int) -> httpx2.Response:
        """The answer to an XRPC query, whatever its status."""
        return self.http.get(f"{base_url}/xrpc/{method}", params=parameters)

    def json(self, base_url: str, method: str, **parameters: str | int) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.get(base_url, method, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def car(self, base_url: str, account: Account, **parameters: str) -> bytes:
        """An account's repository; must be 200."""
        answer = self.get(base_url, "com.atproto.sync.getRepo", did=account.did, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.content
