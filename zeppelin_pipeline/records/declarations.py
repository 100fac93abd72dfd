"""What an account declares of itself under the key `self`, beside its profile: validated, and kept whole.

`app.bsky.actor.status`, `app.bsky.notification.declaration`, `chat.bsky.actor.declaration` and
`com.germnetwork.declaration`. Nothing is ever asked of many of them at once, so they have no columns.
"""

from typing import Any, Final

from zeppelin_pipeline.records.embed import EXTERNAL, read_external
from zeppelin_pipeline.records.lexicon import (
    check_array,
    check_bytes,
    check_created_at,
    check_if_there,
    check_integer,
    check_map,
    check_text,
    check_union,
    check_uri,
)

STATUS: Final = "app.bsky.actor.status"
NOTIFICATIONS: Final = "app.bsky.notification.declaration"
CHAT: Final = "chat.bsky.actor.declaration"
GERM: Final = "com.germnetwork.declaration"

#: The one record key that these collections have.
RKEY: Final = b"self"


def check_status(record: dict[str, Any]) -> None:
    """An account's status; raises InvalidDataError when it breaks its lexicon."""
    check_text(record.get("status"), "status")
    if "embed" in record and check_union(record["embed"], "embed") == EXTERNAL:
        read_external(record["embed"])
    check_if_there(record, "durationMinutes", check_integer, "duration-minutes", 1)
    check_created_at(record)


def check_notifications(record: dict[str, Any]) -> None:
    """Who may subscribe to an account's activity; raises InvalidDataError when it breaks its lexicon."""
    check_text(record.get("allowSubscriptions"), "allow-subscriptions")


def check_chat(record: dict[str, Any]) -> None:
    """Who may write to an account; raises InvalidDataError when it breaks its lexicon."""
    check_text(record.get("allowIncoming"), "allow-incoming")
    check_if_there(record, "allowGroupInvites", check_text, "allow-group-invites")


def check_germ(record: dict[str, Any]) -> None:
    """An account's keys for Germ messages; raises InvalidDataError when it breaks its lexicon."""
    check_text(record.get("version"), "version", 14, min_bytes=5)
    check_bytes(record.get("currentKey"), "current-key")
    check_if_there(record, "keyPackage", check_bytes, "key-package")
    for proof in check_array(record.get("continuityProofs", []), "continuity-proofs", 1000):
        check_bytes(proof, "continuity-proof")
    if "messageMe" in record:
        message_me = check_map(record["messageMe"], "message-me", f"{GERM}#messageMe")
        check_text(message_me.get("messageMeUrl"), "message-me-url", 2047, min_bytes=1)
        check_uri(message_me.get("messageMeUrl"), "message-me-url")
        check_text(message_me.get("showButtonTo"), "show-button-to", 100, min_bytes=1)
