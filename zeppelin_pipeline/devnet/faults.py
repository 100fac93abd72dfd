"""What can be wrong with a host or the relay. host.py, damage.py and mistelling.py act it out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from zeppelin_pipeline.devnet.seeds import seeded_fraction
from zeppelin_pipeline.errors import ConfigurationError


class FaultKind(StrEnum):
    """The ways in which a host misbehaves."""

    RATE_LIMIT = "rate-limit"
    """429 with `retry-after`."""
    HTTP_ERROR = "http-error"
    """`http_status`, 503 unless told."""
    RESET = "reset"
    """The connection is reset in the middle of the body."""
    CAR_TRUNCATED = "car-truncated"
    """A CAR that ends early at a block boundary: good framing, missing blocks."""
    FLIPPED_BYTE = "flipped-byte"
    """One byte of one record's block differs from what was hashed."""
    WRONG_SIGNATURE = "wrong-signature"
    """The commit is signed with another key."""
    REFUSED_BLOCK = "refused-block"
    """One record is a block that strict DAG-CBOR refuses, properly hashed, in the tree and signed."""
    INVALID_RECORD = "invalid-record"
    """Some records break their lexicons, properly hashed, in the tree and signed."""
    SLOW = "slow"
    """Each answer waits `delay_seconds`; bodies drip."""
    DEAD = "dead"
    """Connections are dropped without an answer."""
    TWO_HOSTS = "two-hosts"
    """The host still lists and serves older copies of accounts that have moved to another host. At the start only."""


CONTENT_KINDS = frozenset(
    {
        FaultKind.WRONG_SIGNATURE,
        FaultKind.REFUSED_BLOCK,
        FaultKind.INVALID_RECORD,
    }
)
"""Faults of the repository itself: `listRepos` and `getLatestCommit` show the head of what is served."""

REPOSITORY_KINDS = CONTENT_KINDS | {FaultKind.CAR_TRUNCATED, FaultKind.FLIPPED_BYTE, FaultKind.RESET}
"""Faults that only touch `getRepo`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one host.

    Attributes:
        kind: what goes wrong.
        share: which share of the accounts (of requests without an account: all or none at 0) is hit, fixed by DID.
        first: only the first so many hits; None for no end. Faults of content stand until mended: a listed head must
            be that of the repository which is fetched next.
        method: only this XRPC method (`com.atproto.sync.getRepo`); None for all that the kind can touch.
        delay_seconds: for SLOW, before each answer.
        retry_after_seconds: for RATE_LIMIT.
        http_status: for HTTP_ERROR.
    """

    kind: FaultKind
    share: float = 1.0
    first: int | None = None
    method: str | None = None
    delay_seconds: float = 1.0
    retry_after_seconds: int = 1
    http_status: int = 503

    def hits(self, did: str | None) -> bool:
        """Whether the account (None: a request that names none) is among those hit; the same answer each time."""
        if did is None:
            return self.share > 0 and self.kind not in REPOSITORY_KINDS
        return seeded_fraction(self.kind.value, did) < self.share

    def touches(self, method: str) -> bool:
        """Whether a request of this XRPC method can be hit."""
        if self.method is not None:
            return method == self.method
        return self.kind not in REPOSITORY_KINDS or method == "com.atproto.sync.getRepo"


@dataclass(frozen=True, slots=True)
class RelayFaults:
    """With what share of commits a relay does wrong.

    Attributes:
        dropped: it never tells of.
        repeated: it tells of again, under a new number.
        forged: it tells of, after one of the same revision that another key has signed.
        broken: it tells of, after a frame that cannot be read.
    """

    dropped: float = 0.0
    repeated: float = 0.0
    forged: float = 0.0
    broken: float = 0.0


_SETTING_TYPES: dict[str, tuple[type, ...]] = {
    "share": (float, int),
    "first": (int,),
    "method": (str,),
    "delay_seconds": (float, int),
    "retry_after_seconds": (int,),
    "http_status": (int,),
}


def fault_from_json(value: Mapping[str, Any]) -> Fault:
    """A fault from the fields of its JSON object; ConfigurationError when a field or kind is unknown."""
    known = {item.name for item in fields(Fault)}
    unknown = set(value) - known
    if unknown or "kind" not in value:
        raise ConfigurationError(f"a fault has the fields {sorted(known)}, kind among them; got {sorted(value)}")
    settings: dict[str, Any] = dict(value) | {"kind": _kind(value["kind"])}
    for name, expected in _SETTING_TYPES.items():
        if name in settings and not isinstance(settings[name], expected):
            raise ConfigurationError(f"{name} of a fault cannot be {settings[name]!r}")
    return Fault(**settings)


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """The fault's fields as a JSON object; those that are None are left out."""
    values = {item.name: getattr(fault, item.name) for item in fields(Fault)}
    return {name: value for name, value in values.items() if value is not None}


def parse_fault_option(text: str) -> tuple[int, Fault]:
    """`HOST:KIND[,field=value…]` of the command line, as in `1:rate-limit,share=0.5,first=20`.

    ConfigurationError when it does not read so.
    """
    place, _, rest = text.partition(":")
    kind, *settings = rest.split(",")
    if not place.isdigit():
        raise ConfigurationError(f"a fault is HOST:KIND[,field=value], HOST a number; got {text!r}")
    values: dict[str, Any] = {"kind": kind}
    for setting in settings:
        name, _, value = setting.partition("=")
        values[name] = _option_value(name, value)
    return int(place), fault_from_json(values)


def _kind(text: str) -> FaultKind:
    try:
        return FaultKind(text)
    except ValueError as error:
        raise ConfigurationError(f"no fault {text!r}; there are {', '.join(FaultKind)}") from error


def _option_value(name: str, value: str) -> Any:
    whole = {"first", "retry_after_seconds", "http_status"}
    try:
        if name in whole:
            return int(value)
        return value if name == "method" else float(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}={value!r} is not a number") from error
