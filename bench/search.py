"""Search for posts: bytes a post of its table and indexes, posts indexed a second, and how long searches take.

    python -m bench.search --posts 1000000
    python -m bench.search --posts 10000000 --home /var/tmp/search # keeps the database
    python -m bench.search --posts 10000000 --home /var/tmp/search --memory restarted  # as root, on Linux

Posts have words by Zipf's law out of a vocabulary, over five years up to now, of many authors; a third of them have
counts. Timed is what the database does for a page of 25; hydrating the page is the same for every list and not part of
it. With a database in its home it only searches. With `--memory restarted` the server starts anew, the machine's page
cache is dropped and the server reads what it had in memory before the searches of each kind; with `empty` it does not.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from bench.stage_cost import own_cpu_seconds
from bench.temporary_warehouse import temporary_server
from zeppelin_api.db import SERVER_SETTINGS
from zeppelin_api.hydration.search import TOP_CANDIDATES
from zeppelin_pipeline.aggregates.counts import recompute
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.stack.embedded_postgres import SERVER_SETTINGS as EMBEDDED
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
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
#: Of so many posts one has counts: likes of it by Zipf's law.
POSTS_A_COUNTED: Final = 3
#: Of the API's connections.
_OPTIONS: Final = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
_NOW: Final = datetime.now(UTC)
_PREWARMED_WITHIN_SECONDS: Final = 120.0
_LANGUAGES: Final = ("en", "en", "en", "ja", "pt", "de")


def main() -> None:
    """Make posts, index them, search, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2, help="that index side by side")
    parser.add_argument("--searches", type=int, default=100, help="of each kind")
    parser.add_argument("--home", type=Path, help="a folder for the database that stays; else a temporary")
    parser.add_argument("--memory", choices=["kept", "restarted", "empty"], default="kept", help="before each kind")
    parser.add_argument("--shared-buffers", default=EMBEDDED["shared_buffers"], help="the server's memory for pages")
    given = parser.parse_args()
    settings = {**EMBEDDED, "shared_buffers": given.shared_buffers}
    with temporary_server(settings, kept=given.home) as server:
        url = server.create_database("search")
        if migrate(url):
            with psycopg.connect(url, autocommit=True) as connection:
                _fill(connection, given.posts, np.random.default_rng(1))
                _index(connection, url, given.posts, given.processes)
        _search(server, given.posts, given.searches, given.memory)


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
        yield (
            actors[int(dice.integers(len(actors)))],
            number,
            _NOW - (posts - number) * step,
            0,
            dag_cbor.encode(record),
        )


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
    connection.execute(
        """INSERT INTO post_counts (actor_id, rkey, likes, reposts, replies, quotes)
        SELECT actor_id, rkey, likes, likes / 8, likes / 6, likes / 30
        FROM (SELECT actor_id, rkey, (1 / (1 - random()))::integer AS likes FROM post WHERE rkey %% %s = 0) AS counted
        ORDER BY actor_id, rkey""",
        [POSTS_A_COUNTED],
    )
    connection.execute("VACUUM ANALYZE post_counts")


def _index(connection: Connection[TupleRow], url: str, posts: int, processes: int) -> None:
    started, used = time.monotonic(), _cpu_seconds()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as workers:
        made = workers.map(partial(_make_range, url), range_names())
        seconds_of_ranges = sum(made)
    seconds = time.monotonic() - started
    print(f"indexed {posts:,} posts in {seconds:.1f} s: {posts / seconds:,.0f} a second, {processes} processes")
    print(f"CPU of the clients: {_cpu_seconds() - used:.1f} s, busy {seconds_of_ranges:.1f} s")
    connection.execute("VACUUM ANALYZE post_search")
    indexes = ("pkey", "latest", "terms")
    for name in ("post_search", *(f"post_search_{index}" for index in indexes)):
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


def _search(server: EmbeddedPostgres, posts: int, searches: int, memory: str) -> None:
    print(f"{'search':<20} {'':<7} {'p50':>8} {'p99':>8} ms {'read':>8} {'touched':>8} blocks a search {'CPU':>8} ms")
    for query in ("latest", "top"):
        for kind, terms in _kinds(posts, np.random.default_rng(1)).items():
            if memory != "kept":
                _restart(server, is_memory_kept=memory == "restarted")
            with psycopg.connect(server.url("search"), autocommit=True, options=_OPTIONS) as connection:
                _timed(connection, query, ["w:of no post"])  # a connection of the pool has been used before
                before = _Spent.of(connection)
                median, last = _milliseconds([_timed(connection, query, terms()) for _ in range(searches)])
                spent = _Spent.of(connection)
            read, touched = (spent.read - before.read) / searches, (spent.touched - before.touched) / searches
            cpu = (spent.cpu_seconds - before.cpu_seconds) / searches * 1000
            print(f"{kind:<20} {query:<7} {median:>8.1f} {last:>8.1f} {read:>11.0f} {touched:>8.0f} {cpu:>24.1f}")


def _kinds(posts: int, dice: np.random.Generator) -> dict[str, Callable[[], list[str]]]:
    def of(low: int, high: int) -> Callable[[], str]:
        return lambda: f"w:{_word(int(dice.integers(low, high)))}"

    common, middle, rare = of(1, 20), of(100, 2_000), of(20_000, VOCABULARY)
    return {
        "common word": lambda: [common()],
        "middling word": lambda: [middle()],
        "rare word": lambda: [rare()],
        "two common words": lambda: [common(), common()],
        "common and middling": lambda: [common(), middle()],
        "two middling words": lambda: [middle(), middle()],
        "word in a language": lambda: [middle(), "l:de"],
        "word by an author": lambda: [common(), f"a:{_did(int(dice.integers(max(1, posts // POSTS_AN_AUTHOR))))}"],
    }


def _restart(server: EmbeddedPostgres, *, is_memory_kept: bool) -> None:
    server.stop()
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
    log = server.folder / "server.log"
    said = log.stat().st_size
    if not is_memory_kept:
        (server.folder / "data" / "autoprewarm.blocks").unlink(missing_ok=True)
    started = time.monotonic()
    server.start()
    while is_memory_kept and b"autoprewarm successfully prewarmed" not in log.read_bytes()[said:]:
        if time.monotonic() - started > _PREWARMED_WITHIN_SECONDS:
            raise TimeoutError(f"the server has not read its memory again: {log}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class _Spent:
    """What searches cost since the server's counters began.

    Attributes:
        read: blocks that were not in the server's own memory.
        touched: blocks, each as often as it was.
        cpu_seconds: of the process that serves the connection.
    """

    read: int
    touched: int
    cpu_seconds: float

    @classmethod
    def of(cls, connection: Connection[TupleRow]) -> Self:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            """SELECT sum(heap_blks_read + idx_blks_read)::bigint,
                sum(heap_blks_read + idx_blks_read + heap_blks_hit + idx_blks_hit)::bigint
            FROM pg_statio_user_tables WHERE relname IN ('post_search', 'post_counts')"""
        ).fetchone()
        read, touched = row or (0, 0)
        return cls(read, touched, own_cpu_seconds(connection.info.backend_pid))


def _timed(connection: Connection[TupleRow], query: str, terms: list[str]) -> float:
    high = (1 << 63) - 1
    parameters = {
        "terms": term_numbers(terms),
        "since": datetime(1, 1, 1, tzinfo=UTC),
        "until": datetime.max.replace(tzinfo=UTC),
        "before_at": datetime.max.replace(tzinfo=UTC),
        "before_rkey": high,
        "before_actor": high,
        "candidates": TOP_CANDIDATES,
        "before_score": high,
        "before_tie": high,
        "limit": PAGE + 1,
    }
    started = time.monotonic()
    text = load_queries()[f"search_{query}_posts"]
    connection.execute(text, parameters, prepare=False, binary=True).fetchall()
    return time.monotonic() - started


def _milliseconds(seconds: list[float]) -> tuple[float, float]:
    median, last = np.percentile(seconds, [50, 99])
    return float(median) * 1000, float(last) * 1000


if __name__ == "__main__":
    main()
