"""Whose labels an answer shows: the header `atproto-accept-labelers`, the defaults, and which of them are labelers.

Specification: Labels; the header is a list of RFC 8941, `did:plc:a;redact, did:plc:b`.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from http_sfv.item import Item
from http_sfv.list import List

from zeppelin_api.errors import invalid_request
from zeppelin_pipeline.atproto.syntax import is_did

ACCEPT_HEADER: Final = "atproto-accept-labelers"
CONTENT_HEADER: Final = "atproto-content-labelers"
#: As many as the protocol's own clients may subscribe to.
MAX_LABELERS: Final = 20
_REMEMBERED_SECONDS: Final = 30.0
#: Headers that are kept read: a client's requests have the same one.
_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class Labelers:
    """Whose labels count for one answer.

    Attributes:
        dids: whose labels are shown, in the order in which they were asked for.
        redact: of these, whose takedowns remove content from this answer.
        enforced: whose takedowns are enacted for everybody.
    """

    dids: tuple[str, ...] = ()
    redact: frozenset[str] = frozenset()
    enforced: frozenset[str] = frozenset()

    @property
    def has_any(self) -> bool:
        """Whether anybody's labels or takedowns do."""
        return bool(self.dids or self.enforced)

    @property
    def header(self) -> str:
        """As the answer names them."""
        return ", ".join(f"{did};redact" if did in self.redact else did for did in self.dids)


#: Of a part of a request that no labeler concerns.
NOBODY: Final = Labelers()


@lru_cache(_REMEMBERED)
def accepted_labelers(header: str | None, defaults: tuple[str, ...], enforced: tuple[str, ...]) -> Labelers:
    """The labelers that a request asks for: without the header the defaults, with an empty one none.

    The takedowns of the defaults count.

    Raises:
        ApiError: 400, the header is malformed or names too many.
    """
    if header is None:
        return Labelers(defaults, frozenset(defaults), frozenset(enforced))
    redact_by_did = _parse(header) if header.strip(" ") else {}
    redact = frozenset(did for did, is_redacting in redact_by_did.items() if is_redacting)
    return Labelers(tuple(redact_by_did), redact, frozenset(enforced))


def _parse(header: str) -> dict[str, bool]:
    """Whether each DID of the header redacts."""
    members = List()
    try:
        members.parse(header.encode())
    except ValueError as error:
        raise invalid_request(f"Malformed {ACCEPT_HEADER}: {error}") from error
    redact_by_did: dict[str, bool] = {}
    for member in members:
        did = str(member.value) if isinstance(member, Item) else ""
        if not is_did(did):
            raise invalid_request(f"Malformed {ACCEPT_HEADER}: {did[:100]!r} is not a DID")
        redact_by_did[did] = redact_by_did.get(did, False) or member.params.get("redact") is True
    if len(redact_by_did) > MAX_LABELERS:
        raise invalid_request(f"{ACCEPT_HEADER} names more than {MAX_LABELERS} labelers")
    return redact_by_did


@dataclass(slots=True)
class KnownLabelers:
    """Which accounts are labelers, read again every half minute."""

    clock: Callable[[], float] = time.monotonic
    _dids: frozenset[str] = frozenset()
    _read_at: float | None = field(default=None)

    @property
    def is_due(self) -> bool:
        """Whether they are to be read again."""
        return self._read_at is None or self.clock() - self._read_at > _REMEMBERED_SECONDS

    def begin(self) -> None:
        """They are being read: who asks meanwhile goes on with those of before, when there were any."""
        if self._read_at is not None:
            self._read_at = self.clock()

    def note(self, dids: Iterable[str]) -> None:
        """Remembers what was read."""
        self._dids, self._read_at = frozenset(dids), self.clock()

    def available(self, wanted: Labelers) -> Labelers:
        """Of those that are asked for, those that there are; whose takedowns are enacted, the operator alone says."""
        dids = tuple(did for did in wanted.dids if did in self._dids)
        return Labelers(dids, wanted.redact & set(dids), wanted.enforced)
