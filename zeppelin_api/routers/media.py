"""`/img` and `/blob`: images in the sizes of views, and blobs as they are, for operators without a CDN of their own."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from zeppelin_api.errors import invalid_parameter, invalid_request
from zeppelin_api.media.images import ImageFormat
from zeppelin_api.parameters import CidText, Did
from zeppelin_api.responses import INVALID_REQUEST
from zeppelin_api.service import Service, ServiceDep
from zeppelin_pipeline.atproto.cid import cid_from_text
from zeppelin_pipeline.errors import InvalidDataError

router: Final = APIRouter(tags=["media"])
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "What the client has is what it would be given"},
    400: INVALID_REQUEST,
    404: {"description": "The account or its host has no such blob, or is not shown"},
    422: {"description": "The blob is not an image that can be shown"},
    502: {"description": "The account's host does not give the blob"},
}
_IMAGES: Final = _ANSWERS | {200: {"content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}}}}
_BLOBS: Final = _ANSWERS | {200: {"content": {"application/octet-stream": {}}}}
PresetName = Literal["avatar", "avatar_thumbnail", "banner", "feed_thumbnail", "feed_fullsize"]
_FORMATS: Final[Mapping[str, ImageFormat]] = {"": "jpeg", "jpeg": "jpeg", "png": "png", "webp": "webp"}


@router.get("/img/{preset}/plain/{did}/{cid}", operation_id="media.image", response_class=Response, responses=_IMAGES)
async def image(
    request: Request,
    service: ServiceDep,
    preset: PresetName,
    did: Did,
    cid: Annotated[str, Path(description="The blob's CID, and perhaps `@jpeg`, `@png` or `@webp`.")],
) -> Response:
    """An image of an account, resized."""
    text, _, name = cid.partition("@")
    if name not in _FORMATS:
        raise invalid_request(f"Unknown image format {name}")
    image_format, key = _FORMATS[name], _cid(text)
    host = await service.blobs.host_of(did, key)
    headers = _headers(service, f"{text}-{preset}-{image_format}")
    if _has(request, headers):
        return Response(status_code=304, headers=headers)
    content = await service.images.get(host, did, key, preset, image_format)
    return Response(content, media_type=f"image/{image_format}", headers=headers)


@router.get("/blob/{did}/{cid}", operation_id="media.blob", response_class=Response, responses=_BLOBS)
async def blob(request: Request, service: ServiceDep, did: Did, cid: CidText) -> Response:
    """A blob of an account as it is, to be saved and not to be opened."""
    key = _cid(cid)
    host = await service.blobs.host_of(did, key)
    headers = _headers(service, cid)
    if _has(request, headers):
        return Response(status_code=304, headers=headers)
    content = await service.blobs.fetch(host, did, key)
    headers["content-disposition"] = f'attachment; filename="{cid}"'
    return Response(content, media_type="application/octet-stream", headers=headers)


def _headers(service: Service, tag: str) -> dict[str, str]:
    """A blob's bytes never change; that it may be shown can, and is asked for again when it was kept for a while."""
    return {"cache-control": f"public, max-age={service.settings.media_cache_seconds}", "etag": f'"{tag}"'}


def _has(request: Request, headers: Mapping[str, str]) -> bool:
    """Whether the client says that it has just this."""
    held = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    return bool(held & {headers["etag"], "*"})


def _cid(text: str) -> bytes:
    try:
        return cid_from_text(text)
    except InvalidDataError as error:
        raise invalid_parameter("cid", "must be a CID of the data model") from error
