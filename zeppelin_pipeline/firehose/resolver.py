"""Who is asked for DID documents by what follows streams; how they are asked is the resolver's own business."""

from zeppelin_pipeline.hosts.client import HostClients
from zeppelin_pipeline.identity.mirror import PlcMirror
from zeppelin_pipeline.identity.resolver import DidResolver


def resolver_of(
    clients: HostClients, plc_url: str, mirror: PlcMirror | None = None, *, web_seconds: float = 0.0
) -> DidResolver:
    """Who is asked for DID documents; a key that has just changed is known to the directory alone.

    Args:
        clients: of the hosts; the directory's is kept.
        plc_url: the directory.
        mirror: what is asked before the directory.
        web_seconds: for how long the document of a did:web does.
    """
    clients.keep(plc_url)
    return DidResolver(
        clients.get_url,
        plc_url,
        allow_http=clients.settings.allow_private,
        ask_mirror=None if mirror is None else mirror.resolve,
        web_seconds=web_seconds,
    )
