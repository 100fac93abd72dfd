"""Every query of the API finds its rows by an index, whatever the size of the tables."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
import pytest

import zeppelin_api
from zeppelin_api.statements import LITERALS, statement
from zeppelin_pipeline.warehouse.queries import load_queries, sql_folder

AT = datetime(2024, 1, 1, tzinfo=UTC)
PAGE = {"before_at": AT, "before_rkey": 5, "before_actor": 5, "limit": 50}
SUBJECT = {"actor": 1, "collection": 1, "rkey": 2, "cid": None}
PARAMETERS: dict[str, dict[str, Any]] = {
    "get_accounts": {
        "actors": [1, 2],
        "handles": ["a.test"],
        "has_handles": True,
        "self_rkey": -1,
        "accepts_pending": False,
        "verifiers": [3],
    },
    "find_handles": {"handles": ["a.test"], "accepts_pending": False},
    "settle_handles": {"handles": ["a.test"], "accepts_pending": False},
    "get_profile_counts": {"actors": [1, 2]},
    "get_posts": {"actors": [1, 2], "rkeys": [3, 4]},
    "get_author_feed": {
        "actor": 1,
        "replies": "all",
        "embed_bits": 0,
        "with_reposts": True,
        "before_at": AT,
        "before_rkey": 5,
        "before_is_repost": 1,
        "scanned": 2000,
        "limit": 50,
    },
    "get_quotes": {"actor": 1, "rkey": 2, **PAGE},
    "get_list_feed": {"actor": 1, "rkey": 2, "most_members": 5000, **PAGE},
    "get_actor_feeds": {"actor": 1, **PAGE},
    "get_feed_service": {"actor": 1},
    "get_reposts": {"actors": [1, 2], "rkeys": [3, 4]},
    "get_op_thread": {"actor": 1, "rkey": 2, "limit": 100},
    "get_thread": {"actor": 1, "rkey": 2, "height": 80, "depth": 6, "limit": 100},
    "get_likes": {**SUBJECT, "most_sorted": 9, **PAGE},
    "get_likes_by_account": {**SUBJECT, "more_than": 9, "before_actor": 5, "limit": 50},
    "get_reposters": {**SUBJECT, "most_sorted": 9, **PAGE},
    "get_reposters_by_account": {**SUBJECT, "more_than": 9, "before_actor": 5, "limit": 50},
    "get_likes_by_actor": {"actor": 1, "actors": [1, 2], "rkeys": [3, 4]},
    "get_followers": {"actor": 1, **PAGE},
    "get_follows": {"actor": 1, **PAGE},
    "get_relationships": {"actor": 1, "others": [2, 3]},
    "get_lists": {"actor": 1, "purposes": [1, 2], **PAGE},
    "get_starter_packs": {"actor": 1, **PAGE},
    "get_list_members": {"actor": 1, "rkey": 2, **PAGE},
    "get_blocked_pairs": {"ones": [1, 2], "others": [3, 4]},
    "get_records": {"actors": [1, 2], "collections": [7, 10], "rkeys": [3, 4], "kinds": [7, 10]},
    "get_dids": {"actors": [1, 2]},
    "get_raw_record": {"actor": 1, "collection": 1, "rkey": 2},
    "get_column_record": {"actor": 1, "collection": 2, "rkey": 2},
    "is_search_ready": {"aggregate": "post_search"},
    "search_latest_posts": {"terms": [1, 2], "since": AT, "until": AT, **PAGE},
    "search_top_posts": {
        "terms": [1, 2],
        "since": AT,
        "until": AT,
        "before_at": AT,
        "candidates": 250,
        "before_score": 5,
        "before_tie": 5,
        "limit": 50,
    },
    "most_ranked_names": {"collection": 6, "before_rank": 5, "before_actor": 5, "before_rkey": 5, "limit": 50},
    "search_names": {"collection": 6, "terms": [1], "before_rank": 5, "before_actor": 5, "before_rkey": 5, "limit": 50},
    "get_labels": {
        "actors": [1],
        "collections": [1],
        "rkeys": [1],
        "labelers": [2],
        "enforced": [3],
        "takedowns": ["!takedown"],
    },
    "find_blob_host": {"actor": 1, "cid": b"1", "labelers": [2], "takedowns": ["!takedown"]},
    "known_identity": {"actor": 1},
    "mirrored_operation": {"actor": 1},
}
#: Asked seldom, and by nobody's parameters: whether there are rows, who is a labeler, what the overview shows.
OF_NO_PARAMETERS = {
    "get_labelers",
    "ping",
    "overview_aggregates",
    "overview_labelers",
    "overview_rows",
    "resync_summary",
    "status_hosts",
    "status_rejected",
    "status_repositories",
    "status_tally",
    "stream_summary",
}
#: Functions whose queries are planned within them.
PLANS_ITSELF = re.compile("Function Scan on (newest_posts|ranked_names)")
QUERY_NAME = re.compile(r'"([a-z_]+)"')


@pytest.fixture
def indexed(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        script = (sql_folder() / "indexes.sql").read_text(encoding="utf-8")
        connection.execute(cast("LiteralString", script))
        connection.execute("SET enable_seqscan = off")  # empty tables would be read whole otherwise
        yield connection


def test_every_query_of_the_api_is_looked_at():
    package = Path(zeppelin_api.__file__).parent
    texts = {text for file in package.rglob("*.py") for text in QUERY_NAME.findall(file.read_text(encoding="utf-8"))}

    assert texts & set(load_queries()) == set(PARAMETERS) | OF_NO_PARAMETERS


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_table_is_read_whole(indexed: psycopg.Connection, name: str):
    plan = indexed.execute("EXPLAIN " + load_queries()[name], PARAMETERS[name]).fetchall()

    lines = [line for (line,) in plan]
    assert any("Index" in line or PLANS_ITSELF.search(line) for line in lines), lines
    assert not [line for line in lines if "Seq Scan" in line], lines


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_no_plan_for_all_values_reads_a_table_whole(indexed: psycopg.Connection, name: str):
    text = statement(name, _literal(name)).text
    plan = indexed.execute(cast("LiteralString", f"EXPLAIN (GENERIC_PLAN) {text}")).fetchall()

    assert not [line for (line,) in plan if "Seq Scan" in line], plan


def _literal(name: str) -> Any:
    """What stands in the text of a statement; a list is one of the driver's, which tells tuples from arrays."""
    value = PARAMETERS[name][LITERALS[name]] if name in LITERALS else None
    return tuple(value) if isinstance(value, list) else value


def test_a_feed_and_its_pages_are_read_in_the_order_of_an_index(indexed: psycopg.Connection):
    plan = indexed.execute("EXPLAIN " + load_queries()["get_author_feed"], PARAMETERS["get_author_feed"]).fetchall()

    text = "\n".join(line for (line,) in plan)
    assert "using post_author" in text
    assert "using repost_author" in text
    assert text.count("ROW(LEAST(") >= 2
