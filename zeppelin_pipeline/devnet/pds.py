"""What a PDS host answers: the sync, repo, identity and server methods, and the devnet's own admin paths."""

import asyncio
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_from_text, cid_to_text
from zeppelin_pipeline.devnet.blobs import find_blob, mime_type, referenced_blobs
from zeppelin_pipeline.devnet.directory import Directory
from zeppelin_pipeline.devnet.faults import FaultKind, fault_from_json, fault_to_json
from zeppelin_pipeline.devnet.host import Host, StandingFault
from zeppelin_pipeline.devnet.listing import list_repos
from zeppelin_pipeline.devnet.model import Account, AccountStatus
from zeppelin_pipeline.devnet.state import NetworkState, StoredRecord
from zeppelin_pipeline.devnet.xrpc import (
    EXCEPTION_HANDLERS,
    Handler,
    Parameters,
    XrpcError,
    answer,
    car_response,
    json_response,
)
from zeppelin_pipeline.errors import ConfigurationError, InvalidDataError

_INACTIVE_ERRORS = {
    AccountStatus.DEACTIVATED: "RepoDeactivated",
    AccountStatus.TAKENDOWN: "RepoTakendown",
    AccountStatus.SUSPENDED: "RepoSuspended",
}


class PdsMethods:
    """The XRPC methods of one host."""

    def __init__(self, host: Host, state: NetworkState, directory: Directory) -> None:
        self._host = host
        self._state = state
        self._directory = directory

    def by_name(self) -> dict[str, Handler]:
        """The methods by NSID."""
        return {
            "_health": self._health,
            "com.atproto.identity.resolveHandle": self._resolve_handle,
            "com.atproto.repo.describeRepo": self._describe_repo,
            "com.atproto.repo.getRecord": self._get_record,
            "com.atproto.repo.listRecords": self._list_records,
            "com.atproto.server.describeServer": self._describe_server,
            "com.atproto.sync.getBlob": self._get_blob,
            "com.atproto.sync.getLatestCommit": self._get_latest_commit,
            "com.atproto.sync.getRecord": self._get_record_proof,
            "com.atproto.sync.getRepo": self._get_repo,
            "com.atproto.sync.getRepoStatus": self._get_repo_status,
            "com.atproto.sync.listBlobs": self._list_blobs,
            "com.atproto.sync.listRepos": self._list_repos,
        }

    async def _health(self, _parameters: Parameters) -> Response:
        return json_response({"version": "devnet"})

    async def _describe_server(self, _parameters: Parameters) -> Response:
        return json_response(
            {
                "did": f"did:web:{self._host.hostname.replace(':', '%3A')}",
                "availableUserDomains": [".devnet.test"],
                "inviteCodeRequired": False,
                "links": {},
                "contact": {},
            }
        )

    async def _resolve_handle(self, parameters: Parameters) -> Response:
        account = self._state.find(parameters.text("handle").lower())
        if account is None or account.did not in self._listed():
            raise XrpcError("InvalidRequest", "Unable to resolve handle")
        return json_response({"did": account.did})

    async def _list_repos(self, parameters: Parameters) -> Response:
        limit, start = parameters.limit(500, 1000), parameters.number_cursor()
        page = await asyncio.to_thread(
            list_repos,
            self._state,
            self._listed().values(),
            limit,
            start,
            self._host.content_fault,
            self._status,
        )
        return json_response(page)

    async def _get_repo(self, parameters: Parameters) -> Response:
        account = self._active(parameters.did())
        since = parameters.optional("since")
        fault = self._host.content_fault(account)
        if since is None:
            at_hand = self._state.at_hand(account, fault)
            if at_hand is not None:
                return car_response(at_hand.car())
            return car_response(await asyncio.to_thread(lambda: self._state.repository(account, fault).car()))
        return car_response(await asyncio.to_thread(self._state.changes, account, since, fault))

    async def _get_latest_commit(self, parameters: Parameters) -> Response:
        account = self._active(parameters.did())
        served = await asyncio.to_thread(self._state.repository, account, self._host.content_fault(account))
        return json_response({"cid": cid_to_text(served.head), "rev": served.rev})

    async def _get_repo_status(self, parameters: Parameters) -> Response:
        account = self._listed_account(parameters.did())
        status = self._status(account)
        if status is not AccountStatus.ACTIVE:
            return json_response({"did": account.did, "active": False, "status": status.value})
        served = await asyncio.to_thread(self._state.repository, account, self._host.content_fault(account))
        return json_response({"did": account.did, "active": True, "rev": served.rev})

    async def _get_record_proof(self, parameters: Parameters) -> Response:
        account = self._active(parameters.did())
        key = f"{parameters.text('collection')}/{parameters.text('rkey')}".encode()
        return car_response(await asyncio.to_thread(self._state.proof, account, key))

    async def _get_record(self, parameters: Parameters) -> Response:
        account = self._active_by_identifier(parameters.at_identifier("repo"))
        key = f"{parameters.text('collection')}/{parameters.text('rkey')}".encode()
        for record in await self._records(account):
            if record.key == key and parameters.optional("cid") in {None, cid_to_text(record.cid)}:
                return json_response(_record_view(account, record))
        raise XrpcError("RecordNotFound", f"Could not locate record: at://{account.did}/{key.decode()}")

    async def _list_records(self, parameters: Parameters) -> Response:
        account = self._active_by_identifier(parameters.at_identifier("repo"))
        collection, limit = parameters.text("collection"), parameters.limit(50, 100)
        is_rising, cursor = parameters.optional("reverse") == "true", parameters.optional("cursor")
        found = [record for record in await self._records(account) if record.collection == collection]
        if not is_rising:
            found.reverse()
        if cursor is not None:
            found = [record for record in found if (record.rkey > cursor if is_rising else record.rkey < cursor)]
        page = found[:limit]
        answered: dict[str, Any] = {"records": [_record_view(account, record) for record in page]}
        if page:
            answered["cursor"] = page[-1].rkey
        return json_response(answered)

    async def _describe_repo(self, parameters: Parameters) -> Response:
        account = self._active_by_identifier(parameters.at_identifier("repo"))
        records = await self._records(account)
        return json_response(
            {
                "handle": self._state.handle(account),
                "did": account.did,
                "didDoc": self._directory.document(account),
                "collections": sorted({record.collection for record in records}),
                "handleIsCorrect": True,
            }
        )

    async def _get_blob(self, parameters: Parameters) -> Response:
        account = self._active(parameters.did())
        try:
            cid = cid_from_text(parameters.text("cid"))
        except InvalidDataError as error:
            raise XrpcError("InvalidRequest", "Error: cid must be a cid string") from error
        found = find_blob(self._state.population.config.seed, account.index, cid)
        if found is None:
            raise XrpcError("BlobNotFound", "Blob not found")
        slot, content = found
        headers = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}
        return Response(content, media_type=mime_type(slot), headers=headers)

    async def _list_blobs(self, parameters: Parameters) -> Response:
        account = self._active(parameters.did())
        limit, cursor = parameters.limit(500, 1000), parameters.optional("cursor") or ""
        records = await self._records(account)
        cids = {cid_to_text(cid) for record in records for cid in referenced_blobs(_value(record))}
        page = sorted(cid for cid in cids if cid > cursor)[:limit]
        return json_response({"cids": page} | ({"cursor": page[-1]} if len(page) == limit else {}))

    async def _records(self, account: Account) -> list[StoredRecord]:
        return await asyncio.to_thread(self._state.records, account, self._host.content_fault(account))

    def _status(self, account: Account) -> AccountStatus:
        return self._state.status_on(account, self._host.number)

    def _listed(self) -> dict[str, Account]:
        return self._state.on_host(self._host.number)

    def _listed_account(self, did: str) -> Account:
        account = self._listed().get(did)
        if account is None or self._status(account) is AccountStatus.DELETED:
            raise XrpcError("RepoNotFound", f"Could not find repo for DID: {did}")
        return account

    def _active(self, did: str) -> Account:
        account = self._listed_account(did)
        error = _INACTIVE_ERRORS.get(self._status(account))
        if error is not None:
            raise XrpcError(error, f"Repo has been {self._status(account).value}: {did}")
        return account

    def _active_by_identifier(self, identifier: str) -> Account:
        account = self._state.find(identifier)
        if account is None or account.did not in self._listed():
            raise XrpcError("InvalidRequest", f"Could not find repo: {identifier}")
        return self._active(account.did)


def host_app(host: Host, state: NetworkState, directory: Directory) -> Starlette:
    """A host over HTTP."""
    methods = PdsMethods(host, state, directory).by_name()

    async def xrpc(request: Request) -> Response:
        method = request.path_params["method"]
        ended, headers = host.admit(request, method)
        response = ended if ended is not None else await host.deliver(request, method, await answer(methods, request))
        response.headers.update(headers)
        return response

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            host.faults.clear()
        elif request.method == "POST":
            try:
                fault = fault_from_json(orjson.loads(await request.body()))
            except (ConfigurationError, orjson.JSONDecodeError, TypeError) as error:
                return json_response({"error": "InvalidRequest", "message": str(error)}, 400)
            if fault.kind is FaultKind.TWO_HOSTS:
                return json_response({"error": "InvalidRequest", "message": "two-hosts: at the start only"}, 400)
            host.faults.append(StandingFault(fault))
        standing = [fault_to_json(entry.fault) | {"strikes": entry.strikes} for entry in host.faults]
        return json_response({"faults": standing})

    async def requests(_request: Request) -> Response:
        return json_response(host.requests)

    return Starlette(
        routes=[
            Route("/xrpc/{method}", xrpc, methods=["GET", "HEAD", "POST"]),
            Route("/_devnet/faults", faults, methods=["GET", "POST", "DELETE"]),
            Route("/_devnet/requests", requests),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )


def _value(record: StoredRecord) -> Any:
    value, _ = dag_cbor.decode_lenient(record.block)
    return value


def _record_view(account: Account, record: StoredRecord) -> dict[str, Any]:
    return {
        "uri": f"at://{account.did}/{record.key.decode()}",
        "cid": cid_to_text(record.cid),
        "value": dag_cbor.to_json(_value(record)),
    }
