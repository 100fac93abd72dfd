"""The plain HTTP routes: health, and the service's DID document."""

from importlib.metadata import version
from typing import Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from zeppelin_api.errors import FORESEEN, ApiError, translate
from zeppelin_api.responses import json_response
from zeppelin_api.service import ServiceDep
from zeppelin_pipeline.atproto.crypto import PublicKey

router: Final = APIRouter(tags=["service"])
_VERSION: Final = version("zeppelin")
_CONTEXTS: Final = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"]
_SERVICES: Final = {"#bsky_appview": "BskyAppView", "#bsky_notif": "BskyNotificationService"}


@router.get("/robots.txt", response_class=PlainTextResponse)
async def robots() -> Response:
    """Everything here is public."""
    return PlainTextResponse("User-agent: *\nAllow: /\n")


@router.get("/xrpc/_health", operation_id="_health", response_model=None)
async def health(service: ServiceDep) -> Response:
    """The version; 503 while the warehouse cannot be read, which is known within a second."""
    try:
        await service.pulse.feel()
    except FORESEEN as error:
        problem = translate(error)
        return json_response({"version": _VERSION, "error": problem.message}, 503, problem.headers)
    return json_response({"version": _VERSION})


@router.get("/.well-known/did.json", operation_id="did.json", response_model=None)
async def did_document(service: ServiceDep) -> Response:
    """The document of the service's did:web."""
    did, endpoint = service.settings.did, service.settings.service_endpoint
    if endpoint is None:
        raise ApiError("NotFound", f"{did} is not a did:web of this host", 404)
    return json_response(
        {
            "@context": _CONTEXTS,
            "id": did,
            "verificationMethod": [] if service.public_key is None else [_verification_method(did, service.public_key)],
            "service": [{"id": name, "type": kind, "serviceEndpoint": endpoint} for name, kind in _SERVICES.items()],
        }
    )


def _verification_method(did: str, key: PublicKey) -> dict[str, str]:
    return {"id": f"{did}#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": key.to_multibase()}
