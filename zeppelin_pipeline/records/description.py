"""How lists, generators and starter packs describe themselves: validated only, `raw` holds it."""

from typing import Any, Final

from zeppelin_pipeline.records.lexicon import check_blob, check_if_there, check_text
from zeppelin_pipeline.records.richtext import check_facets

_PICTURE_TYPES: Final = ("image/png", "image/jpeg")
_PICTURE_BYTES: Final = 1_000_000


def check_description(record: dict[str, Any]) -> str | None:
    """The text of `description`, None without one, after a look at it and its facets.

    Raises:
        InvalidDataError: they break the lexicon.
    """
    check_if_there(record, "description", check_text, "description", 3000, 300)
    check_if_there(record, "descriptionFacets", check_facets)
    return record.get("description")


def check_picture(record: dict[str, Any], name: str) -> None:
    """A record's `avatar` or `banner`, if it has one; raises InvalidDataError when it is no such picture."""
    check_if_there(record, name, check_blob, name, _PICTURE_TYPES, _PICTURE_BYTES)
