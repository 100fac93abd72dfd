"""What stands between one account and some others: follows, blocks, and lists that are blocked."""

from collections.abc import Iterable
from dataclasses import dataclass

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import BLOCK, FOLLOW, LIST, rkey_of, uri_of

_COLLECTIONS = {
    "following": FOLLOW,
    "followedBy": FOLLOW,
    "blocking": BLOCK,
    "blockedBy": BLOCK,
    "blockingByList": LIST,
    "blockedByList": LIST,
}


@dataclass(frozen=True, slots=True)
class _Row:
    relation: str
    other_actor: int
    did: str
    rkey: int
    rkey_text: str | None


async def load_relationships(session: Session, did: str, others: Iterable[str]) -> dict[str, dict[str, str]]:
    """What stands between an account and others; between an account and itself nothing does. One query.

    Returns:
        By the DID of each other account, and by relation as `app.bsky.graph.defs#relationship` names it, the URI of the
        record that makes it so, or of the list.
    """
    actors = {session.keys.actor_id(other): other for other in others if other != did}
    found: dict[str, dict[str, str]] = {}
    if not actors:
        return found
    rows = await session.rows(_Row, "get_relationships", actor=session.keys.actor_id(did), others=list(actors))
    for row in sorted(rows, key=_place):  # so that the same answer is the same bytes
        uri = uri_of(row.did, _COLLECTIONS[row.relation], rkey_of(row.rkey, row.rkey_text))
        found.setdefault(actors[row.other_actor], {})[row.relation] = uri
    return found


def _place(row: _Row) -> int:
    return tuple(_COLLECTIONS).index(row.relation)
