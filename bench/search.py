"""Search for posts: bytes a post of its table and indexes, posts indexed a second, and how long searches take.

    python -m bench.search --posts 1000000

Posts have words by Zipf's law out of a vocabulary, over five years, of many authors. Timed is what the database
does for a page of 25; hydrating the page is the same for every list and not part of it.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import numpy as np
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from bench.temporary_warehouse import empty_database, temporary_server
from zeppelin_pipeline.aggregates.counts import recompute
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.key_ranges import range_names
from zeppelin_pipeline.warehouse.migrations import migrate
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.search_tables import POST_SEARCH
from zeppelin_pipeline.warehouse.search_terms import term_numbers

VOCABULARY: Final = 200_000
WORDS_A_POST: Final = 14
POSTS_AN_AUTHOR: Final = 100
YEARS: Final = 5
PAGE: Final = 25
_START: Final = datetime(2021, 1, 1, tzinfo=UTC)
_LANGUAGES: Final = ("en", "en", "en", "ja", "pt", "de")


def main() -> None:
    """Make posts, index them, search, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2, help="that index side by side")
    parser.add_argument("--searches", type=int, default=100, help="of each kind")
    arguments = parser.parse_args()
    dice = np.random.default_rng(1)
    with temporary_server() as server, empty_database(server) as url:
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            _fill(connection, arguments.posts, dice)
            _index(connection, url, arguments.posts, arguments.processes)
            _search(connection, arguments.posts, arguments.searches, dice)


def _word(number: int) -> str:
    return f"w{number:x}"


def _ranks(dice: np.random.Generator, count: int) -> list[int]:
    """Places of words in the order of how common they are."""
    return [int(rank) % VOCABULARY for rank in dice.zipf(1.2, count)]


def _posts(actors: Sequence[int], posts: int, dice: np.random.Generator) -> Iterator[tuple[Any, ...]]:
    step = timedelta(days=365 * YEARS) / posts
    for number in range(posts):
        words = " ".join(map(_word, _ranks(dice, WORDS_A_POST)))
        record = {"$type": "app.bsky.feed.post", "text": words, "langs": [_LANGUAGES[number % len(_LANGUAGES)]]}
        yield actors[int(dice.integers(len(actors)))], number, _START + number * step, 0, dag_cbor.encode(record)


def _did(number: int) -> str:
    return f"did:plc:{number:024d}"


def _fill(connection: Connection[TupleRow], posts: int, dice: np.random.Generator) -> None:
    keys = read_key_space(connection)
    dids = [_did(number) for number in range(max(1, posts // POSTS_AN_AUTHOR))]
    actors = [keys.actor_id(did) for did in dids]
    with connection.cursor() as cursor:
        with cursor.copy("COPY actor (id, did) FROM STDIN") as copy:
            for row in zip(actors, dids, strict=True):
                copy.write_row(row)
        with cursor.copy("COPY post (actor_id, rkey, created_at, embed, raw) FROM STDIN") as copy:
            for row in _posts(actors, posts, dice):
                copy.write_row(row)
    connection.execute("CREATE UNIQUE INDEX post_key ON post (actor_id, rkey)")
    connection.execute("ANALYZE post")


def _index(connection: Connection[TupleRow], url: str, posts: int, processes: int) -> None:
    started, used = time.monotonic(), _cpu_seconds()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as workers:
        made = workers.map(partial(_make_range, url), range_names())
        seconds_of_ranges = sum(made)
    seconds = time.monotonic() - started
    print(f"indexed {posts:,} posts in {seconds:.1f} s: {posts / seconds:,.0f} a second, {processes} processes")
    print(f"CPU of the clients: {_cpu_seconds() - used:.1f} s, busy {seconds_of_ranges:.1f} s")
    connection.execute("VACUUM ANALYZE post_search")
    for name in ("post_search", "post_search_pkey", "post_search_latest", "post_search_terms"):
        row = connection.execute("SELECT pg_relation_size(to_regclass(%s))", (name,)).fetchone()
        print(f"{name:<20} {(row[0] if row else 0) / posts:7.1f} bytes a post")
    row = connection.execute("SELECT pg_total_relation_size('post_search')").fetchone()
    print(f"{'total':<20} {(row[0] if row else 0) / posts:7.1f} bytes a post")


def _make_range(url: str, key_range: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        return recompute(connection, POST_SEARCH, key_range).seconds


def _cpu_seconds() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _search(connection: Connection[TupleRow], posts: int, searches: int, dice: np.random.Generator) -> None:
    def of(low: int, high: int) -> Callable[[], str]:
        return lambda: f"w:{_word(int(dice.integers(low, high)))}"

    common, middle, rare = of(1, 20), of(100, 2_000), of(20_000, VOCABULARY)
    kinds: dict[str, Callable[[], list[str]]] = {
        "common word": lambda: [common()],
        "middling word": lambda: [middle()],
        "rare word": lambda: [rare()],
        "two common words": lambda: [common(), common()],
        "common and middling": lambda: [common(), middle()],
        "two middling words": lambda: [middle(), middle()],
        "word in a language": lambda: [middle(), "l:de"],
        "word by an author": lambda: [common(), f"a:{_did(int(dice.integers(max(1, posts // POSTS_AN_AUTHOR))))}"],
    }
    print(f"{'search':<22} {'latest p50':>11} {'p99':>8} {'top p50':>11} {'p99':>8}  ms")
    for kind, terms in kinds.items():
        latest = _milliseconds([_timed(connection, "search_latest_posts", terms()) for _ in range(searches)])
        top = _milliseconds([_timed(connection, "search_top_posts", terms()) for _ in range(searches)])
        print(f"{kind:<22} {latest[0]:>11.1f} {latest[1]:>8.1f} {top[0]:>11.1f} {top[1]:>8.1f}")


def _timed(connection: Connection[TupleRow], query: str, terms: list[str]) -> float:
    high = (1 << 63) - 1
    parameters = {
        "terms": term_numbers(terms),
        "since": datetime(1, 1, 1, tzinfo=UTC),
        "until": datetime.max.replace(tzinfo=UTC),
        "before_at": datetime.max.replace(tzinfo=UTC),
        "before_rkey": high,
        "before_actor": high,
        "candidates": 1000,
        "before_score": high,
        "before_tie": high,
        "limit": PAGE + 1,
    }
    started = time.monotonic()
    connection.execute(load_queries()[query], parameters, prepare=False, binary=True).fetchall()
    return time.monotonic() - started


def _milliseconds(seconds: list[float]) -> tuple[float, float]:
    median, last = np.percentile(seconds, [50, 99])
    return float(median) * 1000, float(last) * 1000


if __name__ == "__main__":
    main()
