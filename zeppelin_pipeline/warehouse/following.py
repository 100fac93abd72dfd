"""Which commits of a batch follow on what is held of their repositories, for all repositories at once; no I/O.

Nearly all do, and that is seen by comparing columns. Only what does not is looked at one by one, as `ahead` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.warehouse.ahead import EMPTY_TREE, Held, Step, advance
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys

Int64s: TypeAlias = "npt.NDArray[np.int64]"
Flags: TypeAlias = "npt.NDArray[np.bool_]"

#: Where verified commits and `#sync`s take repositories: `rev` and `since` are keys of TIDs, `since` null for a first
#: commit; `prev_data_cid` is null where nothing told; CIDs are 32 bytes; `records` are those added, less those removed;
#: `commit` is the signed block; `seen_micros` is when it was received.
HEADS: Final = pa.schema([
    pa.field("did", pa.string(), nullable=False),
    pa.field("rev", pa.int64(), nullable=False),
    pa.field("since", pa.int64()),
    pa.field("prev_data_cid", pa.binary()),
    pa.field("data_cid", pa.binary(), nullable=False),
    pa.field("is_sync", pa.bool_(), nullable=False),
    pa.field("records", pa.int64(), nullable=False),
    pa.field("commit", pa.binary(), nullable=False),
    pa.field("seen_micros", pa.int64(), nullable=False),
])  # fmt: skip

#: Below every rev.
_NO_REV: Final = -1


@dataclass(frozen=True, slots=True)
class Repositories:
    """The heads of a batch by repository.

    Attributes:
        actors: the accounts' keys, ascending, each once.
        order: positions of heads, those of one account side by side and in their order.
        starts: where each account's begin in `order`, and where the last ends.
    """

    actors: Int64s
    order: Int64s
    starts: Int64s

    @classmethod
    def of(cls, heads: pa.RecordBatch, keys: BatchKeys) -> Self:
        """The repositories of heads, one at least."""
        actors = keys.actor_ids(heads["did"]).to_numpy()
        order = np.argsort(actors, kind="stable")
        in_order = actors[order]
        starts = np.concatenate([[0], np.flatnonzero(in_order[1:] != in_order[:-1]) + 1])
        return cls(in_order[starts], order, np.append(starts, len(order)))

    @property
    def firsts(self) -> Int64s:
        """The position of each repository's first head."""
        return self.order[self.starts[:-1]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the commits of a batch come to.

    Attributes:
        actors: of all repositories, ascending.
        floors: of each, the rev up to which all was known already.
        reached: of each, the rev that is held after the commits that follow.
        followed: positions of the last heads that follow, one for each repository that has any.
        followed_actors: whose they are.
        followed_records: how many records these repositories have then.
        ahead: positions of heads that are taken and do not follow.
        taken: how many heads are above their floors.
    """

    actors: Int64s
    floors: Int64s
    reached: Int64s
    followed: Int64s
    followed_actors: Int64s
    followed_records: Int64s
    ahead: Int64s
    taken: int

    def floors_of(self, actors: Int64s) -> Int64s:
        """The floor of each account, all of which are of the batch."""
        return self.floors[np.searchsorted(self.actors, actors)]

    def reached_of(self, actors: Int64s) -> Int64s:
        """The rev that is held of each account afterwards."""
        return self.reached[np.searchsorted(self.actors, actors)]


def decide(heads: pa.RecordBatch, repositories: Repositories, held_rows: Sequence[Sequence[Any]]) -> Outcome:
    """See which heads follow.

    Args:
        heads: of the schema HEADS, revs rising within each account.
        repositories: of these.
        held_rows: for each repository, in any order: actor, rev, root, records, and the last rev that is ahead of it.
    """
    held = {actor: (Held(rev, data_cid, records), ahead) for actor, rev, data_cid, records, ahead in held_rows}
    in_order = [held[actor] for actor in repositories.actors.tolist()]
    is_usual = _is_usual(heads, repositories, in_order)
    return _Deciding(heads, repositories, in_order).run(is_usual)


def _is_usual(heads: pa.RecordBatch, repositories: Repositories, held: list[tuple[Held, int | None]]) -> Flags:
    """Of which repositories nothing is ahead and all heads follow."""
    order, firsts = repositories.order, repositories.starts[:-1]
    revs, since = heads["rev"].to_numpy()[order], heads["since"].fill_null(_NO_REV).to_numpy()[order]
    data, has_data = _digests(heads["data_cid"])
    prev_data, has_prev = _digests(heads["prev_data_cid"])
    before_revs, before_data = np.roll(revs, 1), np.roll(data[order], 1, axis=0)
    before_revs[firsts] = [_NO_REV if each.rev is None else each.rev for each, _ in held]
    roots = b"".join((each.data_cid or bytes(32)) if each.rev is not None else EMPTY_TREE for each, _ in held)
    before_data[firsts] = np.frombuffer(roots, np.uint8).reshape(-1, 32)
    follows = (since == before_revs) & (prev_data[order] == before_data).all(axis=1) & (revs > before_revs)
    follows &= (has_data & has_prev & ~heads["is_sync"].to_numpy(zero_copy_only=False))[order]
    is_usual = np.logical_and.reduceat(follows, firsts)
    return is_usual & np.array([ahead is None for _, ahead in held])


def _digests(cids: pa.Array) -> "tuple[npt.NDArray[np.uint8], Flags]":
    """A row of 32 bytes for each, zeros for null, and which are not null."""
    is_there = cids.is_valid().to_numpy(zero_copy_only=False)
    rows = np.zeros((len(cids), 32), np.uint8)
    rows[is_there] = np.frombuffer(b"".join(cids.drop_null().to_pylist()), np.uint8).reshape(-1, 32)
    return rows, is_there


class _Deciding:
    def __init__(self, heads: pa.RecordBatch, repositories: Repositories, held: list[tuple[Held, int | None]]) -> None:
        self._heads = heads
        self._repositories = repositories
        self._held = held
        self._floors = np.array(
            [max(_NO_REV if rev is None else rev for rev in (each.rev, ahead)) for each, ahead in held], np.int64
        )
        self._reached = np.array([_NO_REV if each.rev is None else each.rev for each, _ in held], np.int64)
        self._records = np.array([each.records for each, _ in held], np.int64)
        #: The last head that follows; -1 for none.
        self._last = np.full(len(held), -1, np.int64)
        self._ahead: list[int] = []
        self._taken = 0

    def run(self, is_usual: Flags) -> Outcome:
        self._follow_usual(is_usual)
        for number in np.flatnonzero(~is_usual).tolist():
            self._follow(number)
        has_followed = self._last >= 0
        return Outcome(
            actors=self._repositories.actors,
            floors=self._floors,
            reached=self._reached,
            followed=self._last[has_followed],
            followed_actors=self._repositories.actors[has_followed],
            followed_records=self._records[has_followed],
            ahead=np.array(self._ahead, np.int64),
            taken=self._taken,
        )

    def _follow_usual(self, is_usual: Flags) -> None:
        starts, order = self._repositories.starts, self._repositories.order
        last = order[starts[1:] - 1]
        added = np.add.reduceat(self._heads["records"].to_numpy()[order], starts[:-1])
        self._last[is_usual] = last[is_usual]
        self._records[is_usual] += added[is_usual]
        self._reached[is_usual] = self._heads["rev"].to_numpy()[last][is_usual]
        self._taken += int(np.diff(starts)[is_usual].sum())

    def _follow(self, number: int) -> None:
        """One repository of which something is ahead, missing, or told again."""
        starts, (held, ahead_rev) = self._repositories.starts, self._held[number]
        positions = self._repositories.order[starts[number] : starts[number + 1]].tolist()
        steps = [
            (position, step) for position in positions if (step := self._step(position)).rev > self._floors[number]
        ]
        now, followed = (held, 0) if ahead_rev is not None else advance(held, [step for _, step in steps])
        self._taken += len(steps)
        self._ahead += [position for position, _ in steps[followed:]]
        if followed and now.rev is not None:
            self._last[number], self._records[number], self._reached[number] = (
                steps[followed - 1][0],
                now.records,
                now.rev,
            )

    def _step(self, position: int) -> Step:
        head = self._heads.slice(position, 1).to_pylist()[0]
        names = ("rev", "since", "prev_data_cid", "data_cid", "is_sync", "records")
        return Step(**{name: head[name] for name in names})
