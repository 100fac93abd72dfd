"""`com.atproto.*`: what is answered from the warehouse of the protocol's own methods."""

from typing import Annotated, Final

from fastapi import Query
from orjson import JSONEncodeError
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.errors import ApiError, invalid_request
from zeppelin_api.hydration.accounts import load_accounts, resolve_identifiers
from zeppelin_api.hydration.identity import load_plc_operation, load_web_data
from zeppelin_api.hydration.keys import uri_of
from zeppelin_api.hydration.labels import hydrate_labels, labels_for
from zeppelin_api.hydration.repo import load_raw_record
from zeppelin_api.hydration.state import Hydration, Label
from zeppelin_api.labelers import Labelers
from zeppelin_api.lexicon.repo import (
    GetRecordOutput,
    IdentityInfo,
    QueryLabelsOutput,
    ResolveDidOutput,
    ResolveHandleOutput,
)
from zeppelin_api.pagination import Page, decode_cursor, offset_of, position_at
from zeppelin_api.parameters import MAX_IDENTIFIERS, AtIdentifier, CidText, Cursor, Did, Handle, Nsid, RecordKeyText
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import SessionDep
from zeppelin_api.views.context import present
from zeppelin_api.views.profiles import INVALID_HANDLE
from zeppelin_pipeline.atproto import dag_cbor, syntax
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.plc import did_document
from zeppelin_pipeline.errors import InvalidDataError

identity_router: Final = XrpcRouter("com.atproto.identity")
repo_router: Final = XrpcRouter("com.atproto.repo")
label_router: Final = XrpcRouter("com.atproto.label")


@identity_router.query("resolveHandle", ResolveHandleOutput, "HandleNotFound")
async def resolve_handle(
    session: SessionDep, handle: Annotated[Handle, Query(description="The handle to resolve.")]
) -> Response:
    """Resolves an atproto handle (hostname) to the DID that its domain names and that claims it."""
    did = (await resolve_identifiers(session, [handle])).get(handle)
    if did is None:
        raise ApiError("HandleNotFound", "Unable to resolve handle")
    return json_response({"did": did})


@identity_router.query("resolveDid", ResolveDidOutput, "DidNotFound", "DidDeactivated")
async def resolve_did(session: SessionDep, did: Annotated[Did, Query(description="DID to resolve.")]) -> Response:
    """Resolves a DID to its document: a did:plc by the verified mirror, a did:web as its host said last."""
    return json_response({"didDoc": await _document(session, did)})


@identity_router.query("resolveIdentity", IdentityInfo, "HandleNotFound", "DidNotFound", "DidDeactivated")
async def resolve_identity(
    session: SessionDep, identifier: Annotated[AtIdentifier, Query(description="Handle or DID to resolve.")]
) -> Response:
    """Resolves an identity (DID or handle) to its DID document and the handle that holds both ways."""
    state = Hydration()
    did = (await resolve_identifiers(session, [identifier], state)).get(identifier)
    if did is None:
        raise ApiError("HandleNotFound", "Unable to resolve handle")
    document = await _document(session, did)
    await load_accounts(session, state, [did])
    account = state.accounts.get(did)
    handle = (account and account.handle) or INVALID_HANDLE
    return json_response({"did": did, "handle": handle, "didDoc": document})


async def _document(session: Session, did: str) -> dict[str, object]:
    if did.startswith("did:web:"):
        data = await load_web_data(session, did)
        if data is None:
            raise ApiError("DidNotFound", f"No document of {did} is known")
        return did_document(did, data)
    operation = await load_plc_operation(session, did)
    if operation is None:
        raise ApiError("DidNotFound", f"The mirror of the PLC directory has no {did}")
    if operation.data is None:
        raise ApiError("DidDeactivated", f"The account {did} was given up")
    return did_document(did, operation.data)


@repo_router.query("getRecord", GetRecordOutput, "RecordNotFound")
async def get_record(
    session: SessionDep,
    repo: Annotated[AtIdentifier, Query(description="The handle or DID of the repo.")],
    collection: Annotated[Nsid, Query(description="The NSID of the record collection.")],
    rkey: Annotated[RecordKeyText, Query(description="The Record Key.")],
    cid: Annotated[
        CidText | None,
        Query(description="The CID of the version of the record. Only the latest version is held."),
    ] = None,
) -> Response:
    """Get a single record from a repository, of any collection, valid or not, as its author wrote it."""
    state = Hydration()
    did = (await resolve_identifiers(session, [repo], state)).get(repo, "")
    await load_accounts(session, state, [did])
    uri = uri_of(did, collection, rkey)
    await hydrate_labels(session, state, uri)
    if state.active_account(did) is None:
        raise invalid_request(f"Could not find repo: {repo}")
    is_hidden = uri in state.taken_down
    raw = None if is_hidden else await load_raw_record(session, did, collection, rkey)
    found_cid = None if raw is None else cid_to_text(cid_of(raw))
    if raw is None or (cid is not None and cid != found_cid):
        raise ApiError("RecordNotFound", f"Could not locate record: {uri}")
    try:
        value, _ = dag_cbor.decode_lenient(raw)
        return json_response({"uri": uri, "cid": found_cid, "value": dag_cbor.to_json(value)})
    except (InvalidDataError, JSONEncodeError) as error:
        raise invalid_request(f"The record {uri} has no form in JSON: {error}") from error


@label_router.query("queryLabels", QueryLabelsOutput)
async def query_labels(
    session: SessionDep,
    uriPatterns: Annotated[
        list[str],
        Query(max_length=MAX_IDENTIFIERS, description="Accounts (DIDs) and records (AT URIs); no wildcards."),
    ],
    sources: Annotated[
        list[Did] | None,
        Query(max_length=MAX_IDENTIFIERS, description="DIDs of the labelers whose labels are asked for."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=250)] = 50,
    cursor: Cursor = None,
) -> Response:
    """Find the labels that stand on subjects, with the labelers' signatures."""
    first = offset_of(decode_cursor(cursor))
    if not sources:
        raise invalid_request("Name the labelers: sources is required")
    if any("*" in pattern for pattern in uriPatterns):
        raise invalid_request("Wildcards are not supported")
    if not all(map(syntax.is_uri, uriPatterns)):
        raise invalid_request("A subject is a DID or an AT URI")
    found = await labels_for(session, uriPatterns, Labelers(tuple(sources)))
    labels = [label for uri in dict.fromkeys(uriPatterns) for label in sorted(found.get(uri, []), key=_label_key)]
    last = first + limit
    page = Page(labels[first:last], position_at(last) if len(labels) > last else None)
    return json_response(present(labels=[label.fields for label in page.items], cursor=page.cursor))


def _label_key(label: Label) -> tuple[str, str, str]:
    return label.src, label.value, label.cid or ""
