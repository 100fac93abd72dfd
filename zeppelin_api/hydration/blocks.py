"""Blocks between accounts that an answer shows beside each other."""

from collections.abc import Collection
from dataclasses import dataclass

from zeppelin_api.db import Session
from zeppelin_api.hydration.state import Hydration


@dataclass(frozen=True, slots=True)
class _PairRow:
    one: int
    other: int


async def load_blocked_pairs(session: Session, state: Hydration, pairs: Collection[frozenset[str]]) -> None:
    """Put those of the pairs of DIDs into the state between which there is a block, in either direction; one query."""
    wanted = [tuple(pair) for pair in pairs if len(pair) > 1]
    if not wanted:
        return
    by_actor = {session.keys.actor_id(did): did for pair in wanted for did in pair}
    actors = {did: actor for actor, did in by_actor.items()}
    ones, others = zip(*wanted, strict=True)
    rows = await session.rows(
        _PairRow, "get_blocked_pairs", ones=[actors[did] for did in ones], others=[actors[did] for did in others]
    )
    state.blocked_pairs |= {frozenset((by_actor[row.one], by_actor[row.other])) for row in rows}
