"""Accounts whose key is not known, or does not fit: their documents are asked for once, then the signature decides."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

from zeppelin_pipeline.atproto.commit import decode_commit, verify_commit
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.firehose.unsigned import unsigned_rows, with_signed
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.identity.store import KnownIdentity

_AT_ONCE: Final = 50
#: Longer than this no batch waits for the directory, nor for hosts of did:web, of which anybody can have slow ones:
#: what is not settled then is fetched as a whole later.
_DIRECTORY_SECONDS: Final = 10.0
_WEB_SECONDS: Final = 1.0


async def settle_signatures(table: pa.Table, resolver: DidResolver) -> tuple[pa.Table, list[KnownIdentity]]:
    """Resolves the accounts of events whose signature is open, once each, and checks these again.

    Args:
        table: of events; it is given back with those that are signed as such.
        resolver: asks the network.

    Returns:
        the table, and the documents that were got, to be stored.
    """
    rows = unsigned_rows(table)
    if not rows:
        return table, []
    dids = {did for did, _ in rows.values()}
    web = {did for did in dids if did.startswith("did:web:")}
    groups = (_resolve(web, resolver, _WEB_SECONDS), _resolve(dids - web, resolver, _DIRECTORY_SECONDS))
    known = {did: identity for group in await asyncio.gather(*groups) for did, identity in group.items()}
    good = [place for place, (did, block) in rows.items() if did in known and _is_signed(block, known[did].document)]
    return with_signed(table, good), list(known.values())


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
