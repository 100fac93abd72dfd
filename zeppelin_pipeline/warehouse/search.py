"""Keeps the search tables: a key range at a time for what is loaded, post by post for what is live.

They are optional: nothing is written until a range was made for the first time. A row too many does no harm, as those
who search look at the records themselves; one that is missing is added when its range is made anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS
from zeppelin_pipeline.warehouse.packing import unpack_block
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.search_tables import NAME_SEARCH, POST_SEARCH
from zeppelin_pipeline.warehouse.search_terms import (
    found_words,
    handle_words,
    name_terms,
    period_numbers,
    post_terms,
    term_numbers,
)

#: Rows that are read and written at once: bounds the memory.
_CHUNK: Final = 10_000
_POST_TYPES: Final = ("int8", "int8", "timestamptz", "int4[]")
_Put: TypeAlias = Callable[[Connection[TupleRow], Iterable[TupleRow]], int]
_STARTER_PACK: Final = WELL_KNOWN_COLLECTIONS["app.bsky.graph.starterpack"]


def make_range(connection: Connection[TupleRow], table: str, low: int, high: int) -> tuple[int, int, int]:
    """Make all of a range of accounts that can be found, in the caller's transaction.

    Returns:
        Rows that were written, rows that were written or removed, rows that were looked at.
    """
    bounds = {"low": low, "high": high}
    if table == POST_SEARCH:
        if not _is_kept(connection, POST_SEARCH):
            connection.execute(load_queries()["drop_post_search_indexes"])
        removed = connection.execute(load_queries()["forget_gone_posts"], bounds).rowcount
        written, read = _write(connection, "unsearched_posts", bounds, _copy_posts)
    else:
        removed = connection.execute(load_queries()["forget_gone_names"], bounds).rowcount
        written, read = _write(connection, "names_of_range", bounds, _put_names)
    return written, written + removed, read


def index_posts_when_whole(connection: Connection[TupleRow], ranges: int) -> None:
    """Build what indexes the posts lack, once all ranges were made: at once costs a fraction of one row at a time.

    Until then posts cannot be searched. Those who write posts wait while it is built.

    Args:
        connection: whose rows are committed.
        ranges: that they have when they are whole.
    """
    with connection.transaction():
        connection.execute(load_queries()["lock_post_search_indexes"])  # of the last two ranges one builds
        wanted = {"aggregate": POST_SEARCH, "ranges": ranges}
        row = connection.execute(load_queries()["lacks_post_search_indexes"], wanted).fetchone()
        if row is not None and row[0]:
            connection.execute(load_queries()["build_post_search_indexes"])


def refresh_posts(connection: Connection[TupleRow], keys: Sequence[tuple[int, int]]) -> None:
    """Have posts found as they are now, in the transaction that wrote or removed them; nothing without a search table.

    Args:
        connection: in that transaction.
        keys: (actor_id, rkey) of the posts.
    """
    if not keys or not _is_kept(connection, POST_SEARCH):
        return
    actors, rkeys = zip(*keys, strict=True)
    parameters = {"actors": list(actors), "rkeys": list(rkeys)}
    connection.execute(load_queries()["forget_posts"], parameters)
    posts = connection.execute(load_queries()["posts_to_search"], parameters).fetchall()
    connection.cursor().executemany(load_queries()["add_post_terms"], [_post_row(post) for post in posts])


def refresh_names(connection: Connection[TupleRow], actors: Iterable[int]) -> None:
    """Have all that has names of these accounts found as it is now, in the transaction that wrote or removed it."""
    touched = set(actors)
    if touched and _is_kept(connection, NAME_SEARCH):
        for actor in sorted(touched):
            make_range(connection, NAME_SEARCH, actor, actor)


def forget_accounts(connection: Connection[TupleRow], actors: Sequence[int]) -> None:
    """Have nothing found of accounts that were deleted."""
    for query in ("forget_posts_of_accounts", "forget_names_of_accounts"):
        connection.execute(load_queries()[query], {"actors": list(actors)})


def _is_kept(connection: Connection[TupleRow], table: str) -> bool:
    row = connection.execute(load_queries()["is_search_kept"], {"aggregate": table}).fetchone()
    return row is not None and bool(row[0])


def _write(connection: Connection[TupleRow], source: str, parameters: dict[str, Any], put: _Put) -> tuple[int, int]:
    """Write a row for each of a query's, some at a time: rows written, rows read."""
    written = read = 0
    with connection.cursor(name=source, binary=True) as cursor:
        cursor.itersize = _CHUNK
        cursor.execute(load_queries()[source], parameters)
        for chunk in _chunks(cursor):
            written += put(connection, chunk)
            read += len(chunk)
    return written, read


def _copy_posts(connection: Connection[TupleRow], posts: Iterable[TupleRow]) -> int:
    """By way of a table that is the transaction's own: COPY knows no conflicts."""
    connection.execute(load_queries()["make_copied_posts"])
    with connection.cursor() as cursor, cursor.copy(load_queries()["copy_posts"]) as copy:
        copy.set_types(_POST_TYPES)
        for post in posts:
            copy.write_row(_post_row(post))
    return connection.execute(load_queries()["take_copied_posts"]).rowcount


def _put_names(connection: Connection[TupleRow], names: Iterable[TupleRow]) -> int:
    writer = connection.cursor()
    writer.executemany(load_queries()["put_name_terms"], [_name_row(named) for named in names])
    return writer.rowcount


def _chunks(rows: Iterable[TupleRow]) -> Iterator[list[TupleRow]]:
    chunk: list[TupleRow] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _post_row(post: TupleRow) -> tuple[Any, ...]:
    actor, rkey, sort_at, did, raw = post
    terms = term_numbers(post_terms(did, dag_cbor.decode_again(unpack_block(raw))))
    return actor, rkey, sort_at, terms + period_numbers(sort_at)


def _name_row(named: TupleRow) -> tuple[Any, ...]:
    actor, rkey, collection, rank, handle, raw = named
    record: dict[str, Any] = {} if raw is None else dag_cbor.decode(raw)
    name = record.get("name" if collection == _STARTER_PACK else "displayName")
    words = {*handle_words(handle or ""), *found_words(name if isinstance(name, str) else "")}
    return actor, rkey, collection, rank, term_numbers(name_terms(collection, words))
