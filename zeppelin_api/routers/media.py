"""`/img` and `/blob`: images in the sizes of views, and blobs as they are, for operators without a CDN of their own."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path
from starlette.responses import Response

from zeppelin_api.errors import invalid_parameter, invalid_request
from zeppelin_api.media.images import ImageFormat
from zeppelin_api.parameters import CidText, Did
from zeppelin_api.responses import INVALID_REQUEST
from zeppelin_api.service import ServiceDep
from zeppelin_pipeline.atproto.cid import cid_from_text
from zeppelin_pipeline.errors import InvalidDataError

router: Final = APIRouter(tags=["media"])
#: A blob's bytes never change; that it may be shown can.
_HEADERS: Final = {"cache-control": "public, max-age=86400"}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
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
    service: ServiceDep,
    preset: PresetName,
    did: Did,
    cid: Annotated[str, Path(description="The blob's CID, and perhaps `@jpeg`, `@png` or `@webp`.")],
) -> Response:
    """An image of an account, resized."""
    text, _, name = cid.partition("@")
    if name not in _FORMATS:
        raise invalid_request(f"Unknown image format {name}")
    content = await service.images.get(did, _cid(text), preset, _FORMATS[name])
    return Response(content, media_type=f"image/{_FORMATS[name]}", headers=_HEADERS)


@router.get("/blob/{did}/{cid}", operation_id="media.blob", response_class=Response, responses=_BLOBS)
async def blob(service: ServiceDep, did: Did, cid: CidText) -> Response:
    """A blob of an account as it is, to be saved and not to be opened."""
    content = await service.blobs.fetch(did, _cid(cid))
    headers = {**_HEADERS, "content-disposition": f'attachment; filename="{cid}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _cid(text: str) -> bytes:
    try:
        return cid_from_text(text)
    except InvalidDataError as error:
        raise invalid_parameter("cid", "must be a CID of the data model") from error
