"""The PLC directory: DID documents, operation logs, the export. Built from the accounts' genesis operations."""

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zeppelin_pipeline.atproto.syntax import format_datetime, parse_datetime
from zeppelin_pipeline.devnet.labeler import DevnetLabeler
from zeppelin_pipeline.devnet.model import LAST_MICROS, Account
from zeppelin_pipeline.devnet.operations import Operation, did_document, plc_data, signed_operation
from zeppelin_pipeline.devnet.population import Population, rotation_key
from zeppelin_pipeline.devnet.xrpc import json_response
from zeppelin_pipeline.errors import InvalidDataError

EXPORT_LIMIT = 1000
MOVED_SPACING_MICROS = 1_000_000
"""Distance in time between the accounts' moves to today's hosts, so that the export can page by time."""

Logged = tuple[int, Account, Operation]
"""When, of whom, what."""


class Directory:
    """All operations of the network's accounts; of those of did:web nothing but their document tells.

    Each log begins with the genesis, which names hosts that are no more, and goes on with a move to a host of today
    (two moves where a former host still lists the account).
    """

    def __init__(self, population: Population, host_urls: list[str], labeler: DevnetLabeler | None = None) -> None:
        self._population = population
        self._labeler = labeler
        self._host_urls = host_urls
        self._logs: dict[str, list[Logged]] = {}

    def log(self, account: Account) -> list[Logged]:
        """The operations of an account, the genesis first."""
        if account.did not in self._logs:
            self._logs[account.did] = self._make_log(account)
        return self._logs[account.did]

    def current(self, account: Account) -> Operation:
        """The operation that stands."""
        return self.log(account)[-1][2]

    def document(self, account: Account) -> dict[str, object]:
        """The DID document that stands."""
        return did_document(account.did, self.current(account))

    def rename(self, account: Account, handle: str, micros: int) -> None:
        """Add an operation that gives the account another handle."""
        self._append(account, micros, handle, self._endpoint(account))

    def move(self, account: Account, host: int, micros: int) -> None:
        """Add an operation that names another host of today."""
        self._append(account, micros, self._handle(account), self._host_urls[host])

    def change_key(self, account: Account, signing_key: str, micros: int) -> None:
        """Add an operation that gives the account another signing key, a `did:key`; its repository stays as it is."""
        self._append(account, micros, self._handle(account), self._endpoint(account), signing_key)

    def export(self, after_micros: int, count: int) -> list[Logged]:
        """The operations after a time, in the order of time, at most `count`."""
        known = (account for account in self._population.accounts if not account.is_web)
        everything = (entry for account in known for entry in self.log(account))
        return sorted((entry for entry in everything if entry[0] > after_micros), key=lambda entry: entry[0])[:count]

    def _make_log(self, account: Account) -> list[Logged]:
        genesis = self._population.geneses[account.index]
        log: list[Logged] = [(account.created_micros, account, genesis)]
        hosts = [account.host] if account.former_host is None else [account.former_host, account.host]
        moved_micros = LAST_MICROS + account.index * MOVED_SPACING_MICROS
        for step, host in enumerate(hosts):
            operation = self._operation(account, account.handle, self._host_urls[host], log[-1][2])
            log.append((moved_micros + step * 1000, account, operation))
        return log

    def _append(
        self, account: Account, micros: int, handle: str, endpoint: str, signing_key: str | None = None
    ) -> None:
        log = self.log(account)
        log.append((micros, account, self._operation(account, handle, endpoint, log[-1][2], signing_key)))

    def _handle(self, account: Account) -> str:
        return str(self.current(account).content["alsoKnownAs"][0]).removeprefix("at://")

    def _endpoint(self, account: Account) -> str:
        return str(self.current(account).content["services"]["atproto_pds"]["endpoint"])

    def _operation(
        self, account: Account, handle: str, endpoint: str, previous: Operation, signing_key: str | None = None
    ) -> Operation:
        key = signing_key or str(previous.content["verificationMethods"]["atproto"])
        operator = rotation_key(self._population.config.seed)
        labeler = self._labeler
        service = labeler.service if labeler is not None and labeler.did == account.did else None
        return signed_operation(operator, key, handle, endpoint, previous, service)


def directory_app(directory: Directory, population: Population) -> Starlette:
    """The directory over HTTP, with the paths of the public one."""

    def find(request: Request) -> Account | None:
        account = population.by_did.get(request.path_params["did"])
        return None if account is None or account.is_web else account

    async def document(request: Request) -> Response:
        account = find(request)
        if account is None:
            return _unknown(request.path_params["did"])
        answer = json_response(directory.document(account))
        answer.headers["content-type"] = "application/did+ld+json; charset=utf-8"
        return answer

    async def data(request: Request) -> Response:
        account = find(request)
        if account is None:
            return _unknown(request.path_params["did"])
        return json_response(plc_data(account.did, directory.current(account)))

    async def log(request: Request) -> Response:
        account = find(request)
        if account is None:
            return _unknown(request.path_params["did"])
        return json_response([operation.content for _, _, operation in directory.log(account)])

    async def export(request: Request) -> Response:
        count, after = request.query_params.get("count", "10"), request.query_params.get("after")
        if not count.isdigit() or not 1 <= int(count) <= EXPORT_LIMIT:
            return json_response({"message": f"count must be from 1 to {EXPORT_LIMIT}"}, 400)
        try:
            after_micros = parse_datetime(after) if after else -1
        except InvalidDataError:
            return json_response({"message": "after must be a datetime"}, 400)
        lines = [orjson.dumps(_export_line(entry)) for entry in directory.export(after_micros, int(count))]
        return Response(b"\n".join(lines), media_type="application/jsonlines")

    async def health(_request: Request) -> Response:
        return json_response({"version": "devnet"})

    return Starlette(
        routes=[
            Route("/_health", health),
            Route("/export", export),
            Route("/{did}", document),
            Route("/{did}/data", data),
            Route("/{did}/log", log),
        ]
    )


def web_app(directory: Directory, account: Account) -> Starlette:
    """The host of an account's document, which it has for itself."""

    async def document(_request: Request) -> Response:
        return json_response(directory.document(account))

    return Starlette(routes=[Route("/.well-known/did.json", document)])


def _export_line(entry: Logged) -> dict[str, object]:
    micros, account, operation = entry
    return {
        "did": account.did,
        "operation": operation.content,
        "cid": operation.cid,
        "nullified": False,
        "createdAt": format_datetime(micros),
    }


def _unknown(did: str) -> Response:
    return json_response({"message": f"DID not registered: {did}"}, 404)
