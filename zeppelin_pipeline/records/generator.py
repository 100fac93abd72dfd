"""Feed generators (`app.bsky.feed.generator`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.description import check_description, check_picture
from zeppelin_pipeline.records.lexicon import (
    check_boolean,
    check_created_at,
    check_did,
    check_if_there,
    check_self_labels,
    check_text,
)

NSID: Final = "app.bsky.feed.generator"

#: Names of what `read_generator` gives, in order.
COLUMNS: Final = ("service_did", "display_name", "description", "created_at")


def read_generator(record: dict[str, Any]) -> tuple[str, str, str | None, int]:
    """The columns of a feed generator, by `COLUMNS`.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    service = check_did(record.get("did"), "did")
    name = check_text(record.get("displayName"), "display-name", 240, 24)
    description = check_description(record)
    check_picture(record, "avatar")
    check_if_there(record, "acceptsInteractions", check_boolean, "accepts-interactions")
    check_if_there(record, "labels", check_self_labels)
    check_if_there(record, "contentMode", check_text, "content-mode")
    return service, name, description, check_created_at(record)
