"""Which host an account is on, by its DID document. How documents are had is `identity`'s business."""

from datetime import datetime

from zeppelin_pipeline.hosts.host import Host, parse_host
from zeppelin_pipeline.identity.resolver import DidResolver


async def named_host(resolver: DidResolver, did: str, *, since: datetime | None = None) -> Host | None:
    """The PDS that an account's document names; null when it names none. Arguments as of `DidResolver.resolve`.

    Raises:
        InvalidDataError, UpstreamError: as `DidResolver.resolve`; also for a PDS that is no host (`parse_host`).
    """
    pds = (await resolver.resolve(did, since=since)).document.pds
    return None if pds is None else parse_host(pds)
