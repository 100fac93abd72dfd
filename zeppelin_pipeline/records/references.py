"""References to other records: a strong reference's URI and CID as the columns that hold it."""

import re
from typing import Any, Final, TypeAlias

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_from_text
from zeppelin_pipeline.atproto.syntax import parse_at_uri
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.lexicon import check_strong_ref

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
