"""Facets of rich text (`app.bsky.richtext.facet`): validated, and what they point at."""

from typing import Any, Final

from zeppelin_pipeline.records.lexicon import (
    check_array,
    check_did,
    check_integer,
    check_map,
    check_text,
    check_union,
    check_uri,
)

MENTION: Final = "app.bsky.richtext.facet#mention"
LINK: Final = "app.bsky.richtext.facet#link"
TAG: Final = "app.bsky.richtext.facet#tag"

TAG_BYTES: Final = 640
TAG_GRAPHEMES: Final = 64


def check_facets(value: Any) -> None:
    """Facets of a text that no column speaks of; raises InvalidDataError as `read_facets` does."""
    read_facets(value, [], [], [])


def read_facets(value: Any, mentions: list[str], links: list[str], tags: list[str]) -> None:
    """Appends the DIDs, URIs and tags of a text's facets, in their order.

    Where a facet lies in the text is checked by the lexicon's rule alone (not negative): clients skip what is outside.

    Raises:
        InvalidDataError: a facet breaks its lexicon; reasons begin with `facet`.
    """
    for facet in check_array(value, "facets"):
        fields = check_map(facet, "facet", "app.bsky.richtext.facet")
        index = check_map(fields.get("index"), "facet-index", "app.bsky.richtext.facet#byteSlice")
        check_integer(index.get("byteStart"), "facet-index", 0)
        check_integer(index.get("byteEnd"), "facet-index", 0)
        for feature in check_array(fields.get("features"), "facet-features"):
            kind = check_union(feature, "facet-feature")
            if kind == MENTION:
                mentions.append(check_did(feature.get("did"), "facet-mention"))
            elif kind == LINK:
                links.append(check_uri(feature.get("uri"), "facet-link"))
            elif kind == TAG:
                tags.append(check_text(feature.get("tag"), "facet-tag", TAG_BYTES, TAG_GRAPHEMES))
