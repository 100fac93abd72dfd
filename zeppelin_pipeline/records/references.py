"""References to other records, strong or by URI alone, as the columns that hold them."""

import re
from typing import Any, Final, TypeAlias

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_from_text
from zeppelin_pipeline.atproto.syntax import parse_at_uri
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.lexicon import check_array, check_at_uri, check_strong_ref

#: (did, collection, rkey, cid of 36 bytes); parts are None where the reference has none or not in that form.
Reference: TypeAlias = tuple[str | None, str | None, str | None, bytes | None]

NO_REFERENCE: Final[Reference] = (None, None, None, None)

# The URI of nearly all references of the network, known to be valid at one glance; the rest takes the long way.
_USUAL_URI: Final = re.compile(r"at://(did:plc:[a-z2-7]{24})/(app\.bsky\.feed\.post)/([a-z2-7]{13})")


def read_reference(value: Any, field: str) -> Reference:
    """Columns of a strong reference.

    The first three are None together when the URI's authority is a handle or it names no record; the CID is None when
    it is not of DAG-CBOR by SHA-256.

    Raises:
        InvalidDataError: `value` is no strong reference.
    """
    if type(value) is dict and len(value) == 2:
        uri, cid_text = value.get("uri"), value.get("cid")
        if type(uri) is str and type(cid_text) is str:
            match, cid = _USUAL_URI.fullmatch(uri), _dag_cbor_cid(cid_text)
            if match and cid:
                did, collection, rkey = match.groups()
                return did, collection, rkey, cid
    return _read_unusual(*check_strong_ref(value, field))


def read_uri(value: Any, field: str, collection: str) -> tuple[str, str] | None:
    """(did, rkey) of the record of a collection that an AT URI names; None for any other valid one.

    Raises:
        InvalidDataError: `value` is no AT URI.
    """
    usual = _USUAL_URI.fullmatch(value) if type(value) is str else None
    if usual and usual[2] == collection:
        return usual[1], usual[3]
    uri = check_at_uri(value, field)
    if uri.collection != collection or uri.rkey is None or not uri.authority.startswith("did:"):
        return None
    return uri.authority, uri.rkey


def read_uris(value: Any, field: str, collection: str, max_items: int) -> tuple[list[str] | None, list[str] | None]:
    """The DIDs and the record keys, of the same length, of those AT URIs of an array that `read_uri` can read.

    Both are None where there are none.

    Raises:
        InvalidDataError: `value` is no array of AT URIs, or too long.
    """
    pairs = [read_uri(uri, field, collection) for uri in check_array(value, field, max_items)]
    return split_pairs([pair for pair in pairs if pair is not None])


def split_pairs(pairs: list[tuple[str, str]]) -> tuple[list[str] | None, list[str] | None]:
    """(did, rkey) pairs as the two columns that hold them, None where there are none."""
    return ([did for did, _ in pairs], [rkey for _, rkey in pairs]) if pairs else (None, None)


def _read_unusual(uri: str, cid_text: str) -> Reference:
    parsed = parse_at_uri(uri)
    cid = _dag_cbor_cid(cid_text)
    if not parsed.authority.startswith("did:") or parsed.collection is None or parsed.rkey is None:
        return None, None, None, cid
    return parsed.authority, parsed.collection, parsed.rkey, cid


def _dag_cbor_cid(text: str) -> bytes | None:
    try:
        cid = cid_from_text(text)
    except InvalidDataError:
        return None  # valid, but of a version or hash that our 36 bytes do not hold: `raw` keeps it
    return cid if cid.startswith(DAG_CBOR_PREFIX) else None
