"""A PDS host and PLC directory in one, on loopback: made of a few accounts, with faults that a test sets by DID."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.http_host import HttpHost, Reply, Request, error_reply, json_reply, serving
from tests.pipeline.extract_repositories import REV, Account
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.identity.resolver import DidResolver

HEAD = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def make_did(number: int) -> str:
    """A valid did:plc for each number."""
    return "did:plc:" + "".join(_LETTERS[(number >> (5 * place)) & 31] for place in range(24))


def make_account(number: int, records: int = 3, size_bytes: int = 20) -> Account:
    """An account with some posts of a size."""
    posts = {
        f"app.bsky.feed.post/3l{place:011d}".replace("0", "a")
        .replace("1", "b")
        .replace("8", "c")
        .replace("9", "d"): encode({"$type": "app.bsky.feed.post", "text": "x" * size_bytes, "place": place})
        for place in range(records)
    }
    return Account(make_did(number), posts)


@dataclass
class FakePds:
    """What the host has, how it pages, and what it does wrong; `faults` are used up from the front.

    Its documents name itself, but for accounts with other `homes`.
    """

    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    page_size: int = 1000
    faults: dict[str, list[Reply]] = field(default_factory=dict[str, list[Reply]])
    page_faults: dict[str, list[Reply]] = field(default_factory=dict[str, list[Reply]])
    extra_entries: list[object] = field(default_factory=list[object])
    homes: dict[str, str] = field(default_factory=dict[str, str])
    down: Reply | None = None
    http: HttpHost = field(init=False)

    @property
    def host(self) -> Host:
        return self.http.host

    def add(self, accounts: Iterable[Account]) -> None:
        self.accounts |= {account.did: account for account in accounts}

    def fetches(self, did: str | None = None) -> int:
        """How often a repository (null: any) was asked for."""
        asked = [each for each in self.http.requests if each.path.endswith("getRepo")]
        return sum(did is None or each.query["did"] == did for each in asked)

    def resolver(self, clients: HostClients) -> DidResolver:
        """A resolver that takes this host for the PLC directory."""
        return DidResolver(lambda url, size: clients.get_url(url, max_bytes=size), self.host.url)

    def document_of(self, did: str) -> str:
        """An account's document."""
        return self.accounts[did].document(pds=self.homes.get(did, self.host.url))

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/did:"):
            return self._document(request.path[1:])
        if self.down is not None:
            return self.down
        if request.path.endswith("listRepos"):
            return self._page(request.query.get("cursor", ""))
        if request.path.endswith("getRepo"):
            return self._repository(request.query["did"])
        return json_reply({"did": "did:web:localhost"})

    def _document(self, did: str) -> Reply:
        if faults := self.faults.get(f"document {did}"):
            return faults.pop(0)
        if did not in self.accounts:
            return error_reply(404, "", f"DID not registered: {did}")
        return Reply(self.document_of(did).encode())

    def _page(self, cursor: str) -> Reply:
        if faults := self.page_faults.get(cursor):
            return faults.pop(0)
        start = int(cursor or 0)
        entries: list[object] = [
            {"did": did, "head": HEAD, "rev": account.rev, "active": True}
            for did, account in sorted(self.accounts.items())
        ]
        entries = (entries + self.extra_entries)[start : start + self.page_size]
        is_last = start + self.page_size >= len(self.accounts) + len(self.extra_entries)
        return json_reply({"repos": entries} | ({} if is_last else {"cursor": str(start + self.page_size)}))

    def _repository(self, did: str) -> Reply:
        if faults := self.faults.get(did):
            return faults.pop(0)
        account = self.accounts.get(did)
        if account is None:
            return error_reply(400, "RepoNotFound", did)
        return Reply(account.car(), headers={"content-type": "application/vnd.ipld.car"})


@asynccontextmanager
async def running_pds(accounts: Iterable[Account] = (), *, page_size: int = 1000) -> AsyncGenerator[FakePds]:
    """Serves a host with these accounts while the context is open."""
    pds = FakePds(page_size=page_size)
    pds.add(accounts)
    async with serving(pds.answer) as http:
        pds.http = http
        yield pds


__all__ = ["HEAD", "REV", "FakePds", "make_account", "make_did", "running_pds"]
