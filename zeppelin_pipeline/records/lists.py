"""Lists, their items, and blocks of whole lists (`app.bsky.graph.list`, `listitem`, `listblock`)."""

from typing import Any, Final

from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.canonical import LIST, MICROS_IN_MILLISECOND, encode_list_block, encode_list_item
from zeppelin_pipeline.records.description import check_description, check_picture
from zeppelin_pipeline.records.lexicon import (
    check_at_uri,
    check_created_at,
    check_did,
    check_if_there,
    check_self_labels,
    check_text,
)
from zeppelin_pipeline.records.references import read_uri

#: Names of what `read_list` gives, in order.
LIST_COLUMNS: Final = ("name", "purpose", "description", "created_at")
#: Names of what `read_list_item` gives, in order.
ITEM_COLUMNS: Final = ("subject_did", "list_rkey", "created_at", "raw")
#: Names of what `read_list_block` gives, in order.
BLOCK_COLUMNS: Final = ("subject_did", "subject_rkey", "created_at", "raw")


def read_list(record: dict[str, Any]) -> tuple[str, str, str | None, int]:
    """The columns of a list, by `LIST_COLUMNS`; its purpose may be one that the lexicon does not know.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    purpose = check_text(record.get("purpose"), "purpose")
    name = check_text(record.get("name"), "name", 64, min_bytes=1)
    description = check_description(record)
    check_picture(record, "avatar")
    check_if_there(record, "labels", check_self_labels)
    return name, purpose, description, check_created_at(record)


def read_list_item(record: dict[str, Any], block: bytes) -> tuple[str, str | None, int, bytes | None]:
    """The columns of a list item, by `ITEM_COLUMNS`; `raw` is None where they and the owner determine the block.

    The list's record key is None where the URI names no list. That the list is of the item's owner is for
    `check_list_owner` to say.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    subject = check_did(record.get("subject"), "subject")
    named = read_uri(record.get("list"), "list", LIST)
    created_at = check_created_at(record)
    if named is None:
        return subject, None, created_at, block
    is_exact = not created_at % MICROS_IN_MILLISECOND and encode_list_item(*named, subject, created_at) == block
    return subject, named[1], created_at, None if is_exact else block


def check_list_owner(record: dict[str, Any], did: str, _rkey: str) -> None:
    """An item of another account's list counts for nobody: who could add to it but its owner?

    Raises:
        InvalidDataError: `list-of-another-account`; a list that is named by a handle is another's, as for the official
            indexer.
    """
    if check_at_uri(record["list"], "list").authority != did:
        raise InvalidDataError("list-of-another-account", record["list"][:200])


def read_list_block(record: dict[str, Any], block: bytes) -> tuple[str | None, str | None, int, bytes | None]:
    """The columns of a list block, by `BLOCK_COLUMNS`; `raw` is None where they determine the block.

    The subject's columns are None where the URI names no list.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    subject = read_uri(record.get("subject"), "subject", LIST)
    created_at = check_created_at(record)
    if subject is None:
        return None, None, created_at, block
    is_exact = not created_at % MICROS_IN_MILLISECOND and encode_list_block(*subject, created_at) == block
    return *subject, created_at, None if is_exact else block
