"""Images in the sizes of views: what comes out, and what is refused."""

import io
import struct
import zlib

import pytest
from PIL import Image

from zeppelin_api.errors import ApiError
from zeppelin_api.media.images import PRESETS, resize

MAX_PIXELS = 4_000_000


def _png(width: int, height: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), "red").save(file, "PNG")
    return file.getvalue()


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("preset", "size", "expected"),
    [
        ("avatar", (1500, 1200), (1000, 1000)),
        ("avatar_thumbnail", (300, 200), (128, 128)),
        ("avatar", (10, 40), (10, 10)),
        ("banner", (1500, 1500), (1500, 500)),
        ("feed_thumbnail", (2000, 500), (1000, 250)),
        ("feed_fullsize", (300, 200), (300, 200)),
        ("avatar", (1, 1), (1, 1)),
    ],
)
def test_an_image_fills_or_fits_its_size_and_never_grows(preset: str, size: tuple[int, int], expected: tuple[int, int]):
    image = _opened(resize(_png(*size), PRESETS[preset], "jpeg", MAX_PIXELS))
    assert (image.format, image.size) == ("JPEG", expected)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "LA"])
def test_every_kind_of_image_comes_out_in_every_format(name: str, mode: str):
    content = _png(4, 4, mode) if mode != "LA" else _png(4, 4, "RGBA")
    assert _opened(resize(content, PRESETS["avatar"], name, MAX_PIXELS)).format == name.upper()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("tag", [b"\x01\x0f", b"\x01\x00"], ids=["maker", "a width that is a text"])
def test_an_image_is_turned_as_its_camera_was_held_and_tells_nothing_else(tag: bytes):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by a quarter
    exif[0x010F] = "a camera"
    Image.new("RGB", (40, 20)).save(file, "JPEG", exif=exif)

    content = file.getvalue().replace(b"\x01\x0f\x00\x02", tag + b"\x00\x02")

    image = _opened(resize(content, PRESETS["feed_fullsize"], "jpeg", MAX_PIXELS))

    assert image.size == (20, 40)
    assert not image.getexif()


def _bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge."""
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _broken_avif() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "AVIF")
    head, name, pixels = file.getvalue().partition(b"mdat")
    return head + name + b"\xff" * len(pixels)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        _png(400, 400)[:80],
        _bomb(3000, 3000),
        _bomb(60_000, 60_000),
        _bomb(0, 0),
        _broken_avif(),
    ],
    ids=["empty", "svg", "postscript", "cut off", "many pixels", "bomb", "no pixels", "broken"],
)
def test_what_is_no_image_or_too_large_is_refused(content: bytes):
    with pytest.raises(ApiError) as refused:
        resize(content, PRESETS["avatar"], "jpeg", MAX_PIXELS)
    assert (refused.value.name, refused.value.status) == ("InvalidImage", 422)
