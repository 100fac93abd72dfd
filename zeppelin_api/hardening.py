"""Headers that every answer carries, so that browsers take it for nothing but what it is."""

from typing import Final

EVERYWHERE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"cross-origin-resource-policy", b"cross-origin"),  # other origins' pages draw from this API
)
#: For what is no page: nothing may run in it, and nothing frames it.
_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
#: Our pages have scripts and styles in files of their own; images and videos are wherever the settings say.
PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' https: http: data:; media-src 'self' https: http:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)
#: The documentation's page starts itself by a script within it.
DOCUMENTATION_POLICY: Final = f"{PAGE_POLICY}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
_DOCUMENTATION: Final = frozenset({"/docs", "/docs/oauth2-redirect"})
POLICY: Final = b"content-security-policy"
_FOR_DATA, _FOR_DOCUMENTATION = _DATA_POLICY.encode(), DOCUMENTATION_POLICY.encode()


def policy_of(path: str) -> bytes:
    """What an answer that brings no policy of its own may do in a browser."""
    return _FOR_DOCUMENTATION if path in _DOCUMENTATION else _FOR_DATA
