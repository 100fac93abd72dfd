"""URLs of images and videos, by the patterns of the settings."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

ImagePreset: TypeAlias = Literal["avatar", "banner", "feed_thumbnail", "feed_fullsize"]


@dataclass(frozen=True, slots=True)
class MediaUrls:
    """Patterns with the fields {did}, {cid} and, for images, {preset}."""

    image_pattern: str
    playlist_pattern: str
    thumbnail_pattern: str

    def image(self, preset: ImagePreset, did: str, blob: Any) -> str | None:
        """The URL of an image blob; None when the value is no blob."""
        cid = blob_cid(blob)
        return None if cid is None else self.image_pattern.format(preset=preset, did=did, cid=cid)

    def playlist(self, did: str, cid: str) -> str:
        """The URL of a video's playlist."""
        return self.playlist_pattern.format(did=quote(did, safe=""), cid=cid)

    def thumbnail(self, did: str, cid: str) -> str:
        """The URL of a video's still."""
        return self.thumbnail_pattern.format(did=quote(did, safe=""), cid=cid)


def blob_cid(blob: Any) -> str | None:
    """The CID of a blob in a JSON record, in today's form or that of the first records; None when it is no blob."""
    if not isinstance(blob, dict):
        return None
    reference = blob.get("ref")
    cid = reference.get("$link") if isinstance(reference, dict) else blob.get("cid")
    return cid if isinstance(cid, str) else None
