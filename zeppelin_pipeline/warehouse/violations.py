"""Replies and quotes that break a rule, of a threadgate, of a postgate, or of threads: judged by what is held now.

A gate may come before the posts that it is about, or after them, or go again: whoever writes one of these rows has the
posts judged that it can matter for, in the same transaction. Follows and lists that a gate speaks of are looked at when
a post is judged; later ones count from the next judgement of the range on.

A reply that breaks its threadgate is not counted at its parent: the count moves with the judgement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

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


def judge_range(connection: Connection[TupleRow], low: int, high: int) -> Judgement:
    """Judges all that can break a rule of the accounts from `low` to `high`, in the caller's transaction."""
    queries = load_queries()
    _make_tables(connection)
    row = connection.execute(queries["judge_range"], {"low": low, "high": high}).fetchone()
    looked_at, to_judge = row or (0, 0)
    return replace(_judge(connection, to_judge), judged=looked_at)


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
    return _judge(connection, judged)


def _make_tables(connection: Connection[TupleRow]) -> None:
    queries = load_queries()
    connection.execute(queries["create_judged"])
    connection.execute(queries["create_found"])


def _judge(connection: Connection[TupleRow], judged: int) -> Judgement:
    queries = load_queries()
    removed = added = 0
    if judged >= _INDEXED_FROM:
        connection.execute(queries["index_judged"])
        connection.execute(queries["analyze_judged"])
    if judged:
        connection.execute(queries["find_violations"], prepare=True)  # to plan it takes as long as to judge 200 posts
        removed = _move_counts(connection, "remove_violations", 1)
        added = _move_counts(connection, "add_violations", -1)
        connection.execute(queries["clear_judged"])
        connection.execute(queries["clear_found"])
    return Judgement(judged, added, removed)


def _move_counts(connection: Connection[TupleRow], query: str, by: int) -> int:
    """Runs a statement that gives the violations it changed; their parents have more replies, or fewer."""
    queries = load_queries()
    rows = connection.execute(queries[query]).fetchall()
    parents = [(actor, rkey) for kind, actor, rkey in rows if kind == THREADGATE and actor is not None]
    if parents:
        actors, rkeys = zip(*parents, strict=True)
        name = "count_replies_again" if by > 0 else "count_replies_no_more"
        connection.execute(queries[name], {"actors": list(actors), "rkeys": list(rkeys)})
    return len(rows)
