"""Images made small enough to show, and kept for a while. Pure but for the cache: bytes in, bytes out."""

import asyncio
import io
import struct
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cachetools import LRUCache
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from zeppelin_api.errors import ApiError
from zeppelin_api.media.blobs import Blobs
from zeppelin_api.settings import ApiSettings

ImageFormat: TypeAlias = Literal["jpeg", "png", "webp"]
_QUALITY: Final = 80
#: What a decoder is let loose on: none that runs programs or reads other files.
_DECODERS: Final = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")

#: How an image is turned that was taken with the camera held otherwise, by its orientation in EXIF.
_TURNS: Final[Mapping[object, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A size that images are shown in.

    Attributes:
        width: at most, in pixels.
        height: at most, in pixels.
        is_cropped: whether the image fills the size, cut at its edges; else it is whole within it.
    """

    width: int
    height: int
    is_cropped: bool


#: As the official service has them.
PRESETS: Final[Mapping[str, Preset]] = {
    "avatar": Preset(1000, 1000, is_cropped=True),
    "avatar_thumbnail": Preset(128, 128, is_cropped=True),
    "banner": Preset(3000, 1000, is_cropped=True),
    "feed_thumbnail": Preset(1000, 1000, is_cropped=False),
    "feed_fullsize": Preset(2000, 2000, is_cropped=False),
}


def resize(content: bytes, preset: Preset, image_format: ImageFormat, max_pixels: int) -> bytes:
    """An image in a size, without its metadata; never larger than it was. Of several frames the first.

    Args:
        content: an image file of any kind that browsers show.
        preset: the size.
        image_format: of the answer.
        max_pixels: an image that says it has more is not decoded.

    Raises:
        ApiError: `InvalidImage`, it is none, is broken, or has too many pixels.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=_DECODERS) as opened:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if opened.width * opened.height > max_pixels:
                raise _invalid(f"more than {max_pixels} pixels")
            opened.draft("RGB", (preset.width, preset.height))  # a JPEG is decoded no larger than needed
            image = _turned(opened).convert("RGB" if image_format == "jpeg" else "RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _invalid("no image, or too large") from error
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, struct.error) as error:  # of broken files
        raise _invalid("broken") from error
    sized = _sized(image, preset)
    answer = io.BytesIO()
    sized.save(answer, image_format.upper(), quality=_QUALITY)
    return answer.getvalue()


def _turned(image: Image.Image) -> Image.Image:
    """The image upright. The library's own function writes all of EXIF anew for that, and fails where it is odd."""
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _sized(image: Image.Image, preset: Preset) -> Image.Image:
    if not preset.is_cropped:
        image.thumbnail((preset.width, preset.height))
        return image
    scale = min(1.0, image.width / preset.width, image.height / preset.height)
    return ImageOps.fit(image, (max(1, round(preset.width * scale)), max(1, round(preset.height * scale))))


def _invalid(what: str) -> ApiError:
    return ApiError("InvalidImage", f"The blob is not shown as an image: {what}", 422)


class Images:
    """Resized images of all accounts, those asked for lately kept within a bound of bytes."""

    def __init__(self, settings: ApiSettings, blobs: Blobs) -> None:
        self._blobs = blobs
        self._max_pixels = settings.media_max_pixels
        self._cache: LRUCache[tuple[str, bytes, str, ImageFormat], bytes] = LRUCache(
            settings.media_cache_bytes, getsizeof=len
        )
        # Decoding holds no lock of the interpreter; more threads would only hold more memory.
        self._threads = ThreadPoolExecutor(max_workers=settings.media_threads, thread_name_prefix="images")

    async def get(self, host: str, did: str, cid: bytes, preset: str, image_format: ImageFormat) -> bytes:
        """An image of an account in one of `PRESETS`; of that host, which `Blobs.host_of` names only while it is shown.

        Raises:
            ApiError: as `Blobs.opened` and `resize`.
        """
        key = (did, cid, preset, image_format)
        held = self._cache.get(key)
        if held is not None:
            return held
        loop = asyncio.get_running_loop()
        async with self._blobs.opened(host, did, cid) as content:
            image = await loop.run_in_executor(
                self._threads, resize, content, PRESETS[preset], image_format, self._max_pixels
            )
        if len(image) <= self._cache.maxsize:
            self._cache[key] = image
        return image
