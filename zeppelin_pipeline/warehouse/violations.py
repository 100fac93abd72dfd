"""Replies and quotes that break a rule, of a threadgate, of a postgate, or of threads: judged by what is held now.

A gate may come before the posts that it is about, or after them, or go again: whoever writes one of these rows has the
posts judged that it can matter for, in the same transaction. Follows and lists that a gate speaks of are looked at when
a post is judged; later ones count from the next judgement of the range on.

A reply that breaks its threadgate is not counted at its parent: the count moves with the judgement.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.key_ranges import SHIFT, name_of_upper_bits
from zeppelin_pipeline.warehouse.queries import load_queries

#: The rule that was broken, as `violation.kind` says it.
THREADGATE: Final = 1
POSTGATE: Final = 2
REPLY_ROOT: Final = 3

#: Of that many posts an index takes less time to make than it saves.
_INDEXED_FROM: Final = 10_000

#: (actor_id, rkey) of posts.
PostKeys = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows whose writing or removal can make a post break a rule, or cease to.

    Attributes:
        posts: that were written or removed.
        threadgates: posts whose threadgate was.
        postgates: posts whose postgate was.
    """

    posts: PostKeys = field(default_factory=tuple)
    threadgates: PostKeys = field(default_factory=tuple)
    postgates: PostKeys = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judgement changed.

    Attributes:
        judged: posts that were looked at, all at once or one by one, some of them twice.
        added: violations that were not known.
        removed: violations that are none any more.
    """

    judged: int
    added: int
    removed: int


def judge_range(connection: Connection[TupleRow], low: int, high: int) -> dict[str, Judgement]:
    """Judges all that can break a rule of the accounts from `low` to `high`, in the caller's transaction.

    Returns:
        What was done of each key range that has anything, by its name. A violation is of the range of its ruler; one
        that was found by the way and is of a range beyond these is told with the one nearest to it.
    """
    queries = load_queries()
    _make_tables(connection)
    parameters = {"low": low, "high": high, "shift": SHIFT}
    rows = connection.execute(queries["judge_range"], parameters).fetchall()
    if not rows:
        return {}
    ruled = _judge(connection, to_judge=rows[0][2])
    judged = {upper_bits: looked_at for upper_bits, looked_at, _ in rows}
    first, last = low >> SHIFT, high >> SHIFT
    added, removed = (Counter(min(max(ruler >> SHIFT, first), last) for ruler in rulers) for rulers in ruled)
    return {
        name_of_upper_bits(bits): Judgement(judged.get(bits, 0), added[bits], removed[bits])
        for bits in {*judged, *added, *removed}
    }


def judge_changes(connection: Connection[TupleRow], changed: Changed) -> Judgement:
    """Judges what the changed rows can matter for, in the transaction that changes them and after it has."""
    queries = load_queries()
    _make_tables(connection)
    judged = 0
    wanted = {"judge_posts": changed.posts, "judge_threads": changed.threadgates, "judge_quotes": changed.postgates}
    for query, keys in wanted.items():
        if keys:
            actors, rkeys = zip(*keys, strict=True)
            judged += connection.execute(queries[query], {"actors": list(actors), "rkeys": list(rkeys)}).rowcount
    added, removed = _judge(connection, judged)
    return Judgement(judged, len(added), len(removed))


def _make_tables(connection: Connection[TupleRow]) -> None:
    queries = load_queries()
    connection.execute(queries["create_judged"])
    connection.execute(queries["create_found"])


def _judge(connection: Connection[TupleRow], to_judge: int) -> tuple[list[int], list[int]]:
    """The rulers of the violations that were added, and of those that were removed."""
    queries = load_queries()
    if to_judge == 0:
        return [], []
    if to_judge >= _INDEXED_FROM:
        connection.execute(queries["index_judged"])
        connection.execute(queries["analyze_judged"])
    connection.execute(queries["find_violations"], prepare=True)  # to plan it takes as long as to judge 200 posts
    removed = _move_counts(connection, "remove_violations", 1)
    added = _move_counts(connection, "add_violations", -1)
    connection.execute(queries["clear_judged"])
    connection.execute(queries["clear_found"])
    return added, removed


def _move_counts(connection: Connection[TupleRow], query: str, by: int) -> list[int]:
    """Runs a statement that changes violations; their parents have more replies, or fewer.

    Returns:
        The rulers of those that it changed.
    """
    queries = load_queries()
    rows = connection.execute(queries[query]).fetchall()
    parents = [(actor, rkey) for _, kind, actor, rkey in rows if kind == THREADGATE and actor is not None]
    if parents:
        actors, rkeys = zip(*parents, strict=True)
        name = "count_replies_again" if by > 0 else "count_replies_no_more"
        connection.execute(queries[name], {"actors": list(actors), "rkeys": list(rkeys)})
    return [ruler for ruler, *_ in rows]
