"""What a server says that it holds, by the protocol's public read methods: what the warehouse is compared with."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.network.official import Network

PAGE = 100


@dataclass(frozen=True, slots=True)
class GivenRecord:
    """A record as a server gives it: the CID in text form, the value in the JSON form of the data model."""

    uri: str
    cid: str
    value: dict[str, Any]


class RepositoryReader:
    """A PDS, or whoever else answers its methods. May be used by several threads."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/xrpc/", timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def repositories(self) -> dict[str, str]:
        """Each DID of `listRepos` and its state: active, or the `status` that explains why not."""
        pages = self._pages("com.atproto.sync.listRepos", "repos")
        return {repo["did"]: "active" if repo["active"] else repo["status"] for repo in pages}

    def records(self, did: str) -> dict[str, GivenRecord]:
        """All records of all collections that `describeRepo` names, by URI."""
        collections = self._get("com.atproto.repo.describeRepo", repo=did)["collections"]
        return {
            item["uri"]: GivenRecord(item["uri"], item["cid"], item["value"])
            for collection in collections
            for item in self._pages("com.atproto.repo.listRecords", "records", repo=did, collection=collection)
        }

    def handle(self, did: str) -> str:
        """The handle by which the server knows an account."""
        return self._get("com.atproto.repo.describeRepo", repo=did)["handle"]

    def record(self, uri: str) -> GivenRecord:
        """One record by `getRecord`."""
        _, _, did, collection, rkey = uri.split("/")
        item = self._get("com.atproto.repo.getRecord", repo=did, collection=collection, rkey=rkey)
        return GivenRecord(item["uri"], item["cid"], item["value"])

    def latest_rev(self, did: str) -> str:
        """The revision of the repository's newest commit."""
        return self._get("com.atproto.sync.getLatestCommit", did=did)["rev"]

    def _pages(self, method: str, items: str, **parameters: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._get(method, **parameters, limit=str(PAGE), **({"cursor": cursor} if cursor else {}))
            yield from page[items]
            cursor = page.get("cursor")
            if not cursor:
                return

    def _get(self, method: str, **parameters: str) -> dict[str, Any]:
        answer = self._http.get(method, params=parameters)
        answer.raise_for_status()
        return answer.json()


def delete_account(network: Network, host_name: str, did: str) -> None:
    """Deletes an account as the host's administrator."""
    credentials = b64encode(f"admin:{network.admin_password}".encode()).decode()
    answer = httpx2.post(
        f"{network.pds_urls[host_name]}/xrpc/com.atproto.admin.deleteAccount",
        json={"did": did},
        headers={"authorization": f"Basic {credentials}"},
        trust_env=False,
    )
    answer.raise_for_status()
