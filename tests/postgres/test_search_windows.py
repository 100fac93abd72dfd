"""Windows of time in which posts are searched: they find what all posts sorted give, and read little more."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.search_terms import period_numbers

POSTS = 20_000
#: Terms, and of how many posts one has each.
POSTS_A_TERM = {1: 1, 2: 10, 3: 40, 4: 200}
#: A term of the oldest posts alone, and one of a few.
FORMER, RARE = 7, 11
HIGH = (1 << 63) - 1
EVER, NEVER = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
NOW = datetime.now(UTC).replace(microsecond=0)
ALL = """SELECT actor_id, rkey, sort_at FROM post_search
    WHERE terms @> %s::integer[] AND sort_at >= %s AND sort_at < %s AND (sort_at, rkey, actor_id) < (%s, %s, %s)
    ORDER BY sort_at DESC, rkey DESC, actor_id DESC LIMIT %s"""
FOUND = "SELECT * FROM newest_posts(%s::integer[], %s, %s, %s, %s, %s, %s)"


def _times(dice: random.Random) -> Iterator[datetime]:
    """Most of the last two years, more of late; a few that lie in the future, or before 1970."""
    for number in range(POSTS):
        yield NOW - timedelta(seconds=int(730 * 86400 * dice.random() ** 2) // (1 + number % 3))
    yield from (NOW + timedelta(days=days) for days in (0, 1, 2, 400, 40_000))
    yield from (datetime(1969, 12, 31, 23, 59, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC), EVER)


@pytest.fixture
def searched(connection: psycopg.Connection[TupleRow]) -> psycopg.Connection[TupleRow]:
    dice = random.Random(3)
    with connection.cursor() as cursor, cursor.copy("COPY post_search FROM STDIN") as copy:
        for number, at in enumerate(_times(dice)):
            terms = [term for term, posts_a_term in POSTS_A_TERM.items() if dice.randrange(posts_a_term) == 0]
            terms += [FORMER] * (at < NOW - timedelta(days=500)) + [RARE] * (number % 9_000 == 0)
            text = "{" + ",".join(map(str, terms + period_numbers(at))) + "}"
            copy.write_row((number % 100, number // 2, at, text))
    connection.execute("ANALYZE post_search")
    return connection


def test_windows_find_what_all_posts_in_order_give(searched: psycopg.Connection[TupleRow]):
    dice = random.Random(5)
    searched.execute("SET LOCAL enable_indexscan = off")  # of what they are compared with; times of a second are shared
    for _ in range(150):
        terms = dice.choice([[1], [2], [3], [4], [FORMER], [RARE], [2, 3], [1, FORMER], [99], []])
        since = dice.choice([EVER, EVER, NOW - timedelta(days=dice.randrange(800))])
        until = dice.choice([NEVER, NEVER, NOW - timedelta(days=dice.randrange(600))])
        before = dice.choice([NEVER, NOW - timedelta(seconds=dice.randrange(60 * 86400))])
        asked = (terms, since, until, before, dice.choice([HIGH, POSTS // 4]), HIGH, dice.choice([1, 26, 250]))
        assert searched.execute(FOUND, asked).fetchall() == searched.execute(ALL, asked).fetchall(), asked


def test_a_search_fetches_the_posts_of_its_first_window_at_most(searched: psycopg.Connection[TupleRow]):
    searched.execute("SET LOCAL enable_seqscan = off")
    for term in (2, 3, 4):
        before = _fetched(searched)
        assert len(searched.execute(FOUND, ([term], EVER, NEVER, NEVER, HIGH, HIGH, 26)).fetchall()) == 26
        read, fetched = (now - then for now, then in zip(_fetched(searched), before, strict=True))
        assert read == 0
        likely_has_46 = 46 * POSTS_A_TERM[term]
        assert 26 <= fetched <= 2 * likely_has_46 < POSTS, term


def _fetched(connection: psycopg.Connection[TupleRow]) -> tuple[int, int]:
    """Rows of the posts that were read in order of the table, and by an index, within this transaction."""
    row = connection.execute(
        "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'post_search'"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


@pytest.mark.parametrize("at", [NOW, EVER, NEVER, datetime(1969, 12, 31, 23, 59, tzinfo=UTC)])
def test_the_warehouse_numbers_days_and_periods_as_terms_do(connection: psycopg.Connection[TupleRow], at: datetime):
    day, period = period_numbers(at)

    assert connection.execute("SELECT search_periods(%s, %s)", (at, at)).fetchone() == ([day],)
    far = connection.execute("SELECT search_periods(%s, %s::timestamptz + interval '64 days')", (at, at)).fetchone()
    assert far is not None
    assert far[0][0] == period
    assert len(far[0]) == 3
