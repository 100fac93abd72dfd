"""String formats of the AT Protocol: which texts are well formed, and AT URIs taken apart.

Each `is_…` answers for one `format` of the lexicon language, by the specification of that identifier. Times are in
`datetimes`, which this module gives on, so that a caller needs one import for all formats. What the parts mean is for
other modules.
"""

import re
from dataclasses import dataclass

from zeppelin_pipeline.atproto.datetimes import format_datetime, is_datetime, parse_datetime
from zeppelin_pipeline.errors import InvalidDataError

__all__ = [
    "AtUri",
    "format_datetime",
    "is_at_identifier",
    "is_at_uri",
    "is_cid",
    "is_datetime",
    "is_did",
    "is_handle",
    "is_language",
    "is_nsid",
    "is_record_key",
    "is_tid",
    "is_uri",
    "parse_at_uri",
    "parse_datetime",
]

_MAX_DID_LENGTH = 2048
_MAX_HANDLE_LENGTH = 253
_MAX_NSID_LENGTH = 317
_MAX_URI_LENGTH = 8192

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_LETTER_LABEL = r"[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_HANDLE = re.compile(rf"(?:{_LABEL}\.)+{_LETTER_LABEL}")
_NSID = re.compile(rf"{_LETTER_LABEL}(?:\.{_LABEL})+\.[a-zA-Z][a-zA-Z0-9]{{0,62}}")
_RECORD_KEY = re.compile(r"[a-zA-Z0-9_~.:-]{1,512}")
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}")
_CID = re.compile(r"[a-zA-Z0-9+=]{8,256}")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9.+-]*:(?://)?[^\s/]\S*")


def is_did(text: str) -> bool:
    """Whether the text is a DID of any method: at most 2,048 characters, lower-case method (spec: DID)."""
    return len(text) <= _MAX_DID_LENGTH and _DID.fullmatch(text) is not None


def is_handle(text: str) -> bool:
    """Whether the text is a handle: a host name whose last label starts with a letter (spec: Handle)."""
    return len(text) <= _MAX_HANDLE_LENGTH and _HANDLE.fullmatch(text) is not None


def is_at_identifier(text: str) -> bool:
    """Whether the text is a DID or a handle."""
    return is_did(text) if text.startswith("did:") else is_handle(text)


def is_nsid(text: str) -> bool:
    """Whether the text is an NSID: a reversed domain and a name, at most 317 characters (spec: NSID)."""
    return len(text) <= _MAX_NSID_LENGTH and _NSID.fullmatch(text) is not None


def is_record_key(text: str) -> bool:
    """Whether the text is a record key: 1 to 512 of `A-Za-z0-9_~.:-`, and neither `.` nor `..` (spec: Record Key)."""
    return _RECORD_KEY.fullmatch(text) is not None and text not in {".", ".."}


def is_tid(text: str) -> bool:
    """Whether the text is a TID: 13 characters of base32-sortable whose top bit is clear (spec: TID)."""
    return _TID.fullmatch(text) is not None


def is_cid(text: str) -> bool:
    """Whether the text looks like a CID of version 1 in some multibase; `cid_from_text` is the strict one."""
    return _CID.fullmatch(text) is not None and not text.startswith("Qm")


def is_uri(text: str) -> bool:
    """Whether the text is a URI of any scheme: at most 8,192 characters, no spaces (lexicon format `uri`)."""
    return len(text) <= _MAX_URI_LENGTH and _URI.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class AtUri:
    """An AT URI of the restricted form that records use: no query, no fragment.

    Attributes:
        authority: a DID or handle, as written.
        collection: an NSID; null when the URI names a whole repository.
        rkey: a record key; null when the URI names a repository or a collection.
    """

    authority: str
    collection: str | None = None
    rkey: str | None = None

    def __str__(self) -> str:
        return "at://" + "/".join(part for part in (self.authority, self.collection, self.rkey) if part is not None)


def is_at_uri(text: str) -> bool:
    """Whether the text is an AT URI of the restricted form (spec: AT URI; lexicon format `at-uri`)."""
    return _split_at_uri(text) is not None


def parse_at_uri(text: str) -> AtUri:
    """Take an AT URI apart.

    Raises:
        InvalidDataError: `at-uri-syntax`.
    """
    uri = _split_at_uri(text)
    if uri is None:
        raise InvalidDataError("at-uri-syntax", text[:200])
    return uri


def _split_at_uri(text: str) -> AtUri | None:
    if not text.startswith("at://") or len(text) > _MAX_URI_LENGTH:
        return None
    authority, *path = text[5:].split("/", 3)
    if not is_at_identifier(authority) or len(path) > 2:
        return None
    if path and not is_nsid(path[0]):
        return None
    if len(path) == 2 and not is_record_key(path[1]):
        return None
    return AtUri(authority, *path)


_SUBTAG_EXTLANG = re.compile(r"[a-zA-Z]{3}")
_SUBTAG_SCRIPT = re.compile(r"[a-zA-Z]{4}")
_SUBTAG_REGION = re.compile(r"[a-zA-Z]{2}|[0-9]{3}")
_SUBTAG_VARIANT = re.compile(r"[a-zA-Z0-9]{5,8}|[0-9][a-zA-Z0-9]{3}")
_PRIVATE_USE = re.compile(r"[xX](?:-[a-zA-Z0-9]{1,8})+")
_EXTENSIONS = re.compile(r"(?:-[0-9a-wy-zA-WY-Z](?:-[a-zA-Z0-9]{2,8})+)*")
_PRIMARY = re.compile(r"[a-z]{2,3}")
# RFC 5646 section 2.1, rules `irregular` and `regular`: tags from before the grammar that do not follow it.
_GRANDFATHERED = re.compile(
    r"en-GB-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)|sgn-(?:BE-FR|BE-NL|CH-DE)"
    r"|art-lojban|cel-gaulish|no-(?:bok|nyn)|zh-(?:guoyu|hakka|min|min-nan|xiang)"
)


def is_language(text: str) -> bool:
    """Whether the text is a BCP 47 tag whose primary subtag is 2 or 3 lower-case letters (format `language`).

    Well-formedness is RFC 5646 section 2.1; a variant or an extension's singleton may not come twice (section 2.2.9).
    Tags are not looked up in the registry.
    """
    if len(text) > _MAX_URI_LENGTH:
        return False
    if _GRANDFATHERED.fullmatch(text) or _PRIVATE_USE.fullmatch(text):
        return True
    head, private = _split_private_use(text)
    return (not private or _PRIVATE_USE.fullmatch(private) is not None) and _is_language_head(head)


def _split_private_use(text: str) -> tuple[str, str]:
    at = text.lower().find("-x-")
    return (text, "") if at < 0 else (text[:at], text[at + 1 :])


def _is_language_head(text: str) -> bool:
    subtags = text.split("-")
    if not _PRIMARY.fullmatch(subtags[0]):
        return False
    at = _skip(subtags, 1, _SUBTAG_EXTLANG, at_most=3)
    at = _skip(subtags, at, _SUBTAG_SCRIPT, at_most=1)
    at = _skip(subtags, at, _SUBTAG_REGION, at_most=1)
    variants_end = _skip(subtags, at, _SUBTAG_VARIANT, at_most=len(subtags))
    variants = [subtag.lower() for subtag in subtags[at:variants_end]]
    singletons = [subtag.lower() for subtag in subtags[variants_end:] if len(subtag) == 1]
    has_repeats = len(set(variants)) < len(variants) or len(set(singletons)) < len(singletons)
    return (
        not has_repeats
        and _EXTENSIONS.fullmatch("".join(f"-{subtag}" for subtag in subtags[variants_end:])) is not None
    )


def _skip(subtags: list[str], at: int, pattern: re.Pattern[str], *, at_most: int) -> int:
    end = min(len(subtags), at + at_most)
    while at < end and pattern.fullmatch(subtags[at]):
        at += 1
    return at
