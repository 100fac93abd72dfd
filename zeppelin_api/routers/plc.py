"""`/plc/…`: the PLC directory's paths, answered from its verified mirror, so that none need lean on the public one."""

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.hydration.identity import load_plc_operation
from zeppelin_api.parameters import Did
from zeppelin_api.responses import INVALID_REQUEST, json_response
from zeppelin_api.service import SessionDep
from zeppelin_pipeline.atproto.plc import PlcData, PlcOperation, did_document, document_data

router: Final = APIRouter(prefix="/plc", tags=["plc"])
_DOCUMENT_TYPE: Final = "application/did+ld+json; charset=utf-8"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: INVALID_REQUEST,
    404: {"description": "The mirror does not know the DID, or does not vouch for its log"},
    410: {"description": "The account was given up"},
}
PlcDid = Annotated[Did, Path(description="A did:plc.")]


@router.get("/{did}", operation_id="plc.document", response_model=None, responses=_ANSWERS)
async def document(session: SessionDep, did: PlcDid) -> Response:
    """The DID document."""
    data = await _data(session, did)
    if isinstance(data, Response):
        return data
    return Response(orjson.dumps(did_document(did, data)), media_type=_DOCUMENT_TYPE)


@router.get("/{did}/data", operation_id="plc.data", response_model=None, responses=_ANSWERS)
async def data_of(session: SessionDep, did: PlcDid) -> Response:
    """What the account's last operation says, rotation keys included."""
    data = await _data(session, did)
    return data if isinstance(data, Response) else json_response(document_data(did, data))


@router.get("/{did}/log/last", operation_id="plc.lastOperation", response_model=None, responses=_ANSWERS)
async def last_operation(session: SessionDep, did: PlcDid) -> Response:
    """The account's last operation, with its signature."""
    operation = await load_plc_operation(session, did)
    return _unknown(did) if operation is None else json_response(operation.content())


async def _data(session: Session, did: str) -> PlcData | Response:
    """What the account's operation says, or the answer that there is none, in the directory's own words."""
    operation: PlcOperation | None = await load_plc_operation(session, did)
    if operation is None:
        return _unknown(did)
    return operation.data or json_response({"message": f"DID not available: {did}"}, 410)


def _unknown(did: str) -> Response:
    return json_response({"message": f"DID not registered: {did}"}, 404)
