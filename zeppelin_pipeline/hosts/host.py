"""What names a host: its key, its URL, and which texts from outside are none. Nothing is looked up or connected to."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from zeppelin_pipeline.errors import InvalidDataError

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
#: Names that only a private network has (RFC 6761, RFC 6762, and what ICANN keeps for internal use).
_PRIVATE_SUFFIXES: Final = (".localhost", ".local", ".internal", ".test", ".home.arpa")
_LONGEST_TEXT: Final = 300
_LONGEST_NAME: Final = 253  # RFC 1035


@dataclass(frozen=True, slots=True, order=True)
class Host:
    """A host of the network.

    Attributes:
        key: lower-case name with its port, the scheme's default port dropped; names its folders, shards and rows.
        url: scheme and authority, without a path or a trailing slash; paths are appended to it.
    """

    key: str
    url: str


def parse_host(text: str) -> Host:
    """Reads a host from outside: `https://pds.example.com/`, `pds.example.com`, `localhost:2583`.

    A text without a scheme is https, but for loopback and private addresses. `http` is taken only for names of private
    networks: the protocol asks for TLS everywhere else. A name without a dot is a host only together with its port.

    Raises:
        InvalidDataError: `host-syntax` for what is no bare host (user, path, query, bad name or port), `host-scheme`
            for another scheme, or `http` to a public name.
    """
    parts = _split(text)
    name = _parse_name(parts.hostname, text)
    port = _parse_port(parts, text)
    is_private = _is_private_name(name)
    scheme = parts.scheme or ("http" if is_private else "https")
    if scheme not in _DEFAULT_PORTS or (scheme == "http" and not is_private):
        raise InvalidDataError("host-scheme", f"{text[:_LONGEST_TEXT]!r}")
    is_bare = "." not in name and ":" not in name
    if is_bare and name != "localhost" and port is None:
        raise InvalidDataError("host-syntax", f"a bare name without a port: {text!r}")
    authority = f"[{name}]" if ":" in name else name
    if port is not None and (is_bare or port != _DEFAULT_PORTS[scheme]):
        authority = f"{authority}:{port}"
    return Host(key=authority, url=f"{scheme}://{authority}")


def _split(text: str) -> SplitResult:
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text or len(text) > _LONGEST_TEXT:
        raise InvalidDataError("host-syntax", repr(text[:_LONGEST_TEXT]))
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
    except ValueError as error:
        raise InvalidDataError("host-syntax", f"{text!r}: {error}") from error
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc or text.endswith(("?", "#")):
        raise InvalidDataError("host-syntax", f"more than a host: {text!r}")
    return parts


def _parse_name(name: str | None, text: str) -> str:
    name = (name or "").lower().removesuffix(".")
    address = _as_address(name)
    if address is not None and "%" not in name:
        return str(address)
    labels = name.split(".")
    # A last label of digits only would be read as an IPv4 address by resolvers (RFC 1123, the WHATWG URL standard).
    is_name = all(map(_LABEL.fullmatch, labels)) and not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1])
    if not is_name or len(name) > _LONGEST_NAME:
        raise InvalidDataError("host-syntax", f"bad name: {text!r}")
    return name


def _parse_port(parts: SplitResult, text: str) -> int | None:
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidDataError("host-syntax", f"bad port: {text!r}") from error
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise InvalidDataError("host-syntax", f"bad port: {text!r}")
    return port


def _is_private_name(name: str) -> bool:
    address = _as_address(name)
    if address is not None:
        return not address.is_global
    return "." not in name or name.endswith(_PRIVATE_SUFFIXES)


def _as_address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
