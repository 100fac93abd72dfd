"""Profiles (`app.bsky.actor.profile`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.lexicon import (
    check_blob,
    check_created_at,
    check_self_labels,
    check_strong_ref,
    check_text,
    check_uri,
)

NSID: Final = "app.bsky.actor.profile"

#: The one record key that the collection has.
RKEY: Final = b"self"

_PICTURE_TYPES: Final = ("image/png", "image/jpeg")
_PICTURE_BYTES: Final = 1_000_000

#: Names of what `read_profile` gives, in order.
COLUMNS: Final = ("display_name", "description", "created_at")


def read_profile(record: dict[str, Any]) -> tuple[str | None, str | None, int | None]:
    """The columns of a profile, by `COLUMNS`; `created_at` is None where the record has no `createdAt`.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    if "displayName" in record:
        check_text(record["displayName"], "display-name", 640, 64)
    if "description" in record:
        check_text(record["description"], "description", 2560, 256)
    if "pronouns" in record:
        check_text(record["pronouns"], "pronouns", 200, 20)
    if "website" in record:
        check_uri(record["website"], "website")
    for picture in ("avatar", "banner"):
        if picture in record:
            check_blob(record[picture], picture, _PICTURE_TYPES, _PICTURE_BYTES)
    if "labels" in record:
        check_self_labels(record["labels"])
    for name, field in (("joinedViaStarterPack", "joined-via-starter-pack"), ("pinnedPost", "pinned-post")):
        if name in record:
            check_strong_ref(record[name], field)
    created_at = check_created_at(record) if "createdAt" in record else None
    return record.get("displayName"), record.get("description"), created_at
