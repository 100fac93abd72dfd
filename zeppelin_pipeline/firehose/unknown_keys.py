"""Accounts whose key is not known, or does not fit: their documents are asked for once, then the signature decides."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from zeppelin_pipeline.atproto.commit import decode_commit, verify_commit
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.firehose.unsigned import unsigned_rows, with_signed
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.identity.store import KnownIdentity
from zeppelin_pipeline.warehouse.pauses import pause_after

_AT_ONCE: Final = 50
#: Longer than this no batch waits for the directory, nor for hosts of did:web, of which anybody can have slow ones:
#: what is not settled then is fetched as a whole later.
_DIRECTORY_SECONDS: Final = 10.0
_WEB_SECONDS: Final = 1.0
_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(hours=1)
#: Accounts that are remembered.
_MOST_RESTING: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Rest:
    """How often before, and until when an account's document is not asked for."""

    failures: int
    until: float


class UnknownKeys:
    """Asks for documents, and remembers whose did not help: they are asked for again later each time.

    Anybody can sign wrongly all the time, with thousands of accounts, and each batch waits for what is asked. A key
    that changes meanwhile is known once the refused commit's repository is fetched.
    """

    def __init__(self, resolver: DidResolver, clock: Callable[[], float] = time.monotonic) -> None:
        """Sets whom to ask, and the clock in seconds."""
        self._resolver = resolver
        self._clock = clock
        self._resting: OrderedDict[str, _Rest] = OrderedDict()

    async def settle(self, table: pa.Table) -> tuple[pa.Table, list[KnownIdentity]]:
        """Resolves the accounts of events whose signature is open, once each, and checks these again.

        Args:
            table: of events; it is given back with those that are signed as such.

        Returns:
            the table, and the documents that were got, to be stored.
        """
        rows = unsigned_rows(table)
        dids = {did for did, _ in rows.values() if not self._is_resting(did)}
        if not dids:
            return table, []
        web = {did for did in dids if did.startswith("did:web:")}
        groups = (_resolve(web, self._resolver, _WEB_SECONDS), _resolve(dids - web, self._resolver, _DIRECTORY_SECONDS))
        known = {did: identity for group in await asyncio.gather(*groups) for did, identity in group.items()}
        good = [
            place for place, (did, block) in rows.items() if did in known and _is_signed(block, known[did].document)
        ]
        self._note(known.keys(), {rows[place][0] for place in good})
        return with_signed(table, good), list(known.values())

    def _is_resting(self, did: str) -> bool:
        rest = self._resting.get(did)
        return rest is not None and self._clock() < rest.until

    def _note(self, asked: Iterable[str], helped: AbstractSet[str]) -> None:
        for did in asked:
            before = self._resting.pop(did, None)
            if did not in helped:
                failures = 0 if before is None else before.failures + 1
                pause = pause_after(failures, _FIRST_PAUSE, _LONGEST_PAUSE)
                self._resting[did] = _Rest(failures, self._clock() + pause.total_seconds())
        while len(self._resting) > _MOST_RESTING:
            self._resting.popitem(last=False)


def _is_signed(block: bytes, document: DidDocument) -> bool:
    try:
        return verify_commit(decode_commit(block), document.public_key())
    except InvalidDataError:
        return False


async def _resolve(dids: set[str], resolver: DidResolver, seconds: float) -> Mapping[str, KnownIdentity]:
    gate = asyncio.Semaphore(_AT_ONCE)
    known: dict[str, KnownIdentity] = {}

    async def ask(did: str) -> None:
        async with gate:
            asked_at = datetime.now(UTC)
            try:
                known[did] = KnownIdentity((await resolver.resolve(did)).document, asked_at)
            except (UpstreamError, InvalidDataError):
                return  # its events stay unsigned, and are counted as such

    tasks = [asyncio.create_task(ask(did)) for did in sorted(dids)]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return known
