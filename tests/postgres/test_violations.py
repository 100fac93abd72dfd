"""Gates and threads: in whatever order they come, replies and quotes are judged by what is held in the end."""

import itertools
import random
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from zeppelin_pipeline.warehouse.violations import (
    POSTGATE,
    REPLY_ROOT,
    THREADGATE,
    Changed,
    Judgement,
    judge_changes,
    judge_range,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AUTHOR, FRIEND, FAN, MEMBER, STRANGER, NAMED = range(1, 7)
ROOT = (AUTHOR, 100)
LOWEST, HIGHEST = -(2**63), 2**63 - 1
#: Of every allow rule, the one account besides the author that it lets in.
LET_IN = {1: NAMED, 2: FRIEND, 4: FAN, 8: MEMBER}


def insert(connection: psycopg.Connection, table: str, **columns: Any) -> None:
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(sql.Placeholder, columns)),
        ),
        columns,
    )


def write_post(
    connection: psycopg.Connection,
    key: tuple[int, int],
    *,
    root: tuple[int, int] | None = None,
    parent: tuple[int, int] | None = None,
    quote: tuple[int, int] | None = None,
    mentions: list[int] | None = None,
) -> None:
    actor, rkey = key
    root_actor, root_rkey = root or (None, None)
    parent_actor, parent_rkey = parent or (None, None)
    quote_actor, quote_rkey = quote or (None, None)
    insert(
        connection,
        "post",
        actor_id=actor,
        rkey=rkey,
        created_at=NOW,
        reply_root_actor=root_actor,
        reply_root_rkey=root_rkey,
        reply_parent_actor=parent_actor,
        reply_parent_rkey=parent_rkey,
        quote_actor=quote_actor,
        quote_rkey=quote_rkey,
        quote_collection=1 if quote else None,
        mentions=mentions,
        embed=4 if quote else 0,
        raw=b"",
    )


def write_threadgate(connection: psycopg.Connection, allow: int | None, post: tuple[int, int] = ROOT) -> None:
    actor, rkey = post
    insert(
        connection,
        "threadgate",
        actor_id=actor,
        rkey=rkey,
        created_at=NOW,
        allow=allow,
        list_actors=[AUTHOR],
        list_rkeys=[7],
        raw=b"",
    )


def write_postgate(connection: psycopg.Connection, *, is_embedding_disabled: bool = True) -> None:
    insert(
        connection,
        "postgate",
        actor_id=ROOT[0],
        rkey=ROOT[1],
        created_at=NOW,
        is_embedding_disabled=is_embedding_disabled,
        raw=b"",
    )


def write_acquaintances(connection: psycopg.Connection) -> None:
    insert(connection, "follow", actor_id=AUTHOR, rkey=1, subject_actor=FRIEND, created_at=NOW)
    insert(connection, "follow", actor_id=FAN, rkey=1, subject_actor=AUTHOR, created_at=NOW)
    insert(connection, "list_item", actor_id=AUTHOR, rkey=2, list_rkey=7, subject_actor=MEMBER, created_at=NOW)


def reply_key(actor: int) -> tuple[int, int]:
    return actor, 200 + actor


def write_replies(connection: psycopg.Connection) -> None:
    for actor in (AUTHOR, FRIEND, FAN, MEMBER, STRANGER, NAMED):
        write_post(connection, reply_key(actor), root=ROOT, parent=ROOT)


def judge_all(connection: psycopg.Connection) -> Judgement:
    found = judge_range(connection, LOWEST, HIGHEST).values()
    return Judgement(*(sum(getattr(each, name) for each in found) for name in ("judged", "added", "removed")))


def violators(connection: psycopg.Connection, kind: int) -> set[tuple[int, int]]:
    return set(connection.execute("SELECT actor_id, rkey FROM violation WHERE kind = %s", (kind,)).fetchall())


def replies_counted(connection: psycopg.Connection) -> dict[tuple[int, int], int]:
    rows = connection.execute("SELECT actor_id, rkey, replies FROM post_counts WHERE replies <> 0")
    return {(actor, rkey): replies for actor, rkey, replies in rows}


@pytest.mark.parametrize("allow", [None, *range(16)])
def test_a_threadgate_lets_in_whom_its_rules_name(connection: psycopg.Connection, allow: int | None):
    write_acquaintances(connection)
    write_post(connection, ROOT, mentions=[NAMED])
    write_replies(connection)
    write_threadgate(connection, allow)
    judge_all(connection)
    everyone = {AUTHOR, FRIEND, FAN, MEMBER, STRANGER, NAMED}
    let_in = everyone if allow is None else {AUTHOR, *(who for bit, who in LET_IN.items() if allow & bit)}
    assert violators(connection, THREADGATE) == {reply_key(actor) for actor in everyone - let_in}


def test_a_rule_that_is_not_known_lets_nobody_in(connection: psycopg.Connection):
    write_post(connection, ROOT)
    write_post(connection, reply_key(STRANGER), root=ROOT, parent=ROOT)
    write_threadgate(connection, 16)
    assert judge_all(connection).added == 1


def test_a_quote_breaks_a_postgate_unless_it_is_the_authors(connection: psycopg.Connection):
    write_post(connection, ROOT)
    write_post(connection, (AUTHOR, 300), quote=ROOT)
    write_post(connection, (STRANGER, 300), quote=ROOT)
    write_postgate(connection, is_embedding_disabled=False)
    assert judge_all(connection).added == 0
    connection.execute("UPDATE postgate SET is_embedding_disabled = true")
    judge_all(connection)
    assert violators(connection, POSTGATE) == {(STRANGER, 300)}


def test_a_reply_in_a_thread_that_is_not_its_parents_is_misplaced_and_so_is_what_answers_it(
    connection: psycopg.Connection,
):
    other, honest, wrong, below = (STRANGER, 1), (FRIEND, 2), (FRIEND, 3), (FAN, 4)
    write_post(connection, ROOT)
    write_post(connection, other)
    write_post(connection, honest, root=ROOT, parent=ROOT)
    write_post(connection, wrong, root=ROOT, parent=other)
    write_post(connection, below, root=ROOT, parent=wrong)
    write_post(connection, (FAN, 5), root=ROOT, parent=honest)
    write_post(connection, (FAN, 6), root=honest, parent=honest)  # its root is a reply itself
    write_post(connection, (FAN, 7), root=ROOT, parent=(MEMBER, 404))  # to a post that is not held
    judge_all(connection)
    assert violators(connection, REPLY_ROOT) == {wrong, below, (FAN, 6)}


def test_a_misplaced_parent_that_comes_last_misplaces_the_replies_below_it(connection: psycopg.Connection):
    other, wrong, below, deepest = (STRANGER, 1), (FRIEND, 3), (FAN, 4), (FAN, 5)
    for key, parent in ((deepest, below), (below, wrong), (wrong, other)):
        write_post(connection, key, root=ROOT, parent=parent)
        judge_changes(connection, Changed(posts=[key]))
    assert not violators(connection, REPLY_ROOT)
    write_post(connection, other)
    judge_changes(connection, Changed(posts=[other]))
    assert violators(connection, REPLY_ROOT) == {wrong, below, deepest}
    late = (MEMBER, 9)
    write_post(connection, late, root=ROOT, parent=below)
    judge_changes(connection, Changed(posts=[late]))
    assert late in violators(connection, REPLY_ROOT)
    connection.execute("DELETE FROM post WHERE (actor_id, rkey) = (%s, %s)", other)
    judge_changes(connection, Changed(posts=[other]))
    assert not violators(connection, REPLY_ROOT)


def test_judging_again_changes_nothing(connection: psycopg.Connection):
    write_post(connection, ROOT)
    write_replies(connection)
    write_threadgate(connection, 0)
    first = judge_all(connection)
    assert (first.added, first.removed) == (5, 0)
    second = judge_all(connection)
    assert (second.added, second.removed) == (0, 0)


def test_without_its_gate_a_thread_has_no_violations(connection: psycopg.Connection):
    write_post(connection, ROOT)
    write_replies(connection)
    write_threadgate(connection, 0)
    judge_all(connection)
    connection.execute("DELETE FROM threadgate")
    assert judge_all(connection).removed == 5
    assert not violators(connection, THREADGATE)


def events(connection: psycopg.Connection) -> list[tuple[Any, Changed]]:
    """What writes the rows of one thread, and which change each is."""
    made: list[tuple[Any, Changed]] = [
        (lambda: write_post(connection, ROOT), Changed(posts=[ROOT])),
        (lambda: write_threadgate(connection, 2), Changed(threadgates=[ROOT])),
        (lambda: write_postgate(connection), Changed(postgates=[ROOT])),
    ]
    for actor in (AUTHOR, FRIEND, STRANGER):
        made.append(
            (
                lambda a=actor: write_post(connection, reply_key(a), root=ROOT, parent=ROOT),
                Changed(posts=[reply_key(actor)]),
            )
        )
        made.append((lambda a=actor: write_post(connection, (a, 300), quote=ROOT), Changed(posts=[(actor, 300)])))
    return made


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_posts_and_gates_does_not_matter(connection: psycopg.Connection, seed: int):
    write_acquaintances(connection)
    made = events(connection)
    random.Random(seed).shuffle(made)
    for write, changed in made:
        write()
        for actor, rkey in changed.posts:
            if (actor, rkey) == reply_key(actor):  # what counts a reply when it is written
                insert_reply_count(connection)
        judge_changes(connection, changed)
    assert violators(connection, THREADGATE) == {reply_key(STRANGER)}
    assert violators(connection, POSTGATE) == {(FRIEND, 300), (STRANGER, 300)}
    assert replies_counted(connection) == {ROOT: 2}
    assert (judge_all(connection).added, judge_all(connection).removed) == (0, 0)


def insert_reply_count(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO post_counts AS held VALUES (%s, %s, 0, 0, 1, 0)"
        " ON CONFLICT (actor_id, rkey) DO UPDATE SET replies = held.replies + 1",
        ROOT,
    )


def test_ranges_judged_apart_find_what_one_judgement_finds(connection: psycopg.Connection):
    roots = [(actor, 100) for actor in (-(2**63), -5, 0, 5, 2**63 - 1)]
    for root in roots:
        write_post(connection, root)
        write_threadgate(connection, 0, root)
    for number, (root, actor) in enumerate(itertools.product(roots, (77, -77))):
        write_post(connection, (actor, 1000 + number), root=root, parent=root)
    for low, high in ((LOWEST, -1), (0, HIGHEST)):
        judge_range(connection, low, high)
    assert len(violators(connection, THREADGATE)) == 10
    assert judge_all(connection) == Judgement(judged=20, added=0, removed=0)


def write_tangle(connection: psycopg.Connection, dice: random.Random) -> list[tuple[int, int]]:
    """Posts of few accounts, on both sides of zero, that name parents and roots by chance, and gates of some."""
    keys = [(actor, rkey) for actor in (-9, -8, -7, 7, 8, 9) for rkey in range(1, 8)]
    held = [key for key in keys if dice.random() < 0.8]
    for key in held:
        root, parent = (dice.choice([None, *keys[:3], *keys[-3:]]) for _ in range(2))
        parent = dice.choice([root, parent, dice.choice(keys)])
        write_post(connection, key, root=root, parent=parent, quote=dice.choice([None, ROOT, *keys[:3]]))
    for root in keys[:2] + keys[-2:]:
        write_threadgate(connection, dice.choice([None, 0, 2, 4]), root)
    write_postgate(connection)
    return held


def all_violations(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT * FROM violation ORDER BY actor_id, rkey, kind").fetchall()


@pytest.mark.parametrize("seed", range(4))
def test_ranges_find_what_judging_each_post_finds(connection: psycopg.Connection, seed: int):
    dice = random.Random(seed)
    held = write_tangle(connection, dice)
    judge_changes(connection, Changed(posts=held))
    expected = all_violations(connection)
    assert {kind for *_, kind in expected} >= {THREADGATE, REPLY_ROOT}
    for found_before in (expected, dice.sample(expected, len(expected) // 2), []):
        connection.execute("DELETE FROM violation")
        for violation in found_before:
            connection.execute("INSERT INTO violation VALUES (%s, %s, %s, %s, %s, %s)", violation)
        for low, high in dice.sample([(LOWEST, -8), (-7, 7), (8, HIGHEST)], 3):
            judge_range(connection, low, high)
        assert all_violations(connection) == expected


def test_what_was_found_of_a_reply_in_another_thread_misplaces_nothing_in_its_own(connection: psycopg.Connection):
    """The reply was written anew without its being judged, and the range of its former thread comes later."""
    moved, below = (FRIEND, 3), (FAN, 4)
    write_post(connection, ROOT)
    write_post(connection, moved, root=ROOT, parent=ROOT)
    write_post(connection, below, root=ROOT, parent=moved)
    write_threadgate(connection, 0)
    insert(connection, "violation", actor_id=moved[0], rkey=moved[1], ruler=-5, kind=REPLY_ROOT)
    for low, high in ((0, HIGHEST), (LOWEST, -1)):
        judge_range(connection, low, high)
    assert violators(connection, REPLY_ROOT) == set()
    assert violators(connection, THREADGATE) == {moved, below}
