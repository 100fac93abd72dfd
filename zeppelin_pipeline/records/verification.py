"""Verifications (`app.bsky.graph.verification`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.lexicon import check_created_at, check_did, check_handle, check_text

NSID: Final = "app.bsky.graph.verification"

#: Names of what `read_verification` gives, in order.
COLUMNS: Final = ("subject_did", "handle", "display_name", "created_at")


def read_verification(record: dict[str, Any]) -> tuple[str, str, str, int]:
    """The columns of a verification, by `COLUMNS`; handle and name are the subject's at that moment, as written.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    subject = check_did(record.get("subject"), "subject")
    handle = check_handle(record.get("handle"), "handle")
    name = check_text(record.get("displayName"), "display-name")
    return subject, handle, name, check_created_at(record)
