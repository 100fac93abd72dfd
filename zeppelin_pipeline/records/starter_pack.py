"""Starter packs (`app.bsky.graph.starterpack`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.canonical import LIST
from zeppelin_pipeline.records.description import check_description
from zeppelin_pipeline.records.lexicon import check_array, check_at_uri, check_created_at, check_map, check_text
from zeppelin_pipeline.records.references import read_uri

NSID: Final = "app.bsky.graph.starterpack"

#: Names of what `read_starter_pack` gives, in order.
COLUMNS: Final = ("name", "description", "list_did", "list_rkey", "feeds", "created_at")


def read_starter_pack(record: dict[str, Any]) -> tuple[str, str | None, str | None, str | None, list[str] | None, int]:
    """The columns of a starter pack, by `COLUMNS`.

    The list's columns are None where the URI names no list; `feeds` are URIs, None without any.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    name = check_text(record.get("name"), "name", 500, 50, min_bytes=1)
    description = check_description(record)
    list_did, list_rkey = read_uri(record.get("list"), "list", LIST) or (None, None)
    feeds = [_read_feed(item) for item in check_array(record.get("feeds", []), "feeds", 3)]
    return name, description, list_did, list_rkey, feeds or None, check_created_at(record)


def _read_feed(item: Any) -> str:
    return str(check_at_uri(check_map(item, "feed", f"{NSID}#feedItem").get("uri"), "feed"))
