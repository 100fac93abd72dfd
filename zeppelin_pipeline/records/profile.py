"""Profiles (`app.bsky.actor.profile`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.description import check_picture
from zeppelin_pipeline.records.lexicon import (
    check_created_at,
    check_if_there,
    check_self_labels,
    check_strong_ref,
    check_text,
    check_uri,
)
from zeppelin_pipeline.records.references import read_uri

NSID: Final = "app.bsky.actor.profile"

#: The one record key that the collection has.
RKEY: Final = b"self"

#: Names of what `read_profile` gives, in order.
COLUMNS: Final = ("display_name", "description", "pack_did", "pack_rkey", "created_at")

_STARTER_PACK: Final = "app.bsky.graph.starterpack"


def read_profile(record: dict[str, Any]) -> tuple[str | None, str | None, str | None, str | None, int | None]:
    """The columns of a profile, by `COLUMNS`; `created_at` is None where the record has no `createdAt`.

    The starter pack by which its account joined has None for both parts where there is none, or the URI names none.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    check_if_there(record, "displayName", check_text, "display-name", 640, 64)
    check_if_there(record, "description", check_text, "description", 2560, 256)
    check_if_there(record, "pronouns", check_text, "pronouns", 200, 20)
    check_if_there(record, "website", check_uri, "website")
    check_picture(record, "avatar")
    check_picture(record, "banner")
    check_if_there(record, "labels", check_self_labels)
    pack_did, pack_rkey = _read_pack(record) if "joinedViaStarterPack" in record else (None, None)
    check_if_there(record, "pinnedPost", check_strong_ref, "pinned-post")
    created_at = check_created_at(record) if "createdAt" in record else None
    return record.get("displayName"), record.get("description"), pack_did, pack_rkey, created_at


def _read_pack(record: dict[str, Any]) -> tuple[str, str] | tuple[None, None]:
    field = "joined-via-starter-pack"
    uri, _ = check_strong_ref(record["joinedViaStarterPack"], field)
    return read_uri(uri, field, _STARTER_PACK) or (None, None)
