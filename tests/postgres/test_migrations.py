"""Migrations: they build what `sql/schema.sql` shows, once, whoever runs them."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.fakes.contents import made_content
from zeppelin_pipeline.errors import ConfigurationError, CorruptStateError
from zeppelin_pipeline.stack.ports import free_port
from zeppelin_pipeline.warehouse import migrations
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS
from zeppelin_pipeline.warehouse.migrations import migrate, migration_files
from zeppelin_pipeline.warehouse.queries import sql_folder

#: What makes two databases the same, read from the catalogs.
CATALOGS = {
    "relations": """SELECT c.relname, c.relkind, c.relpersistence, c.reloptions, obj_description(c.oid)
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1""",
    "columns": """SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            a.attstorage, a.attcompression, a.attidentity, a.attgenerated, a.attstattarget,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2""",
    "constraints": """SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid), obj_description(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "types": """SELECT typname, typtype FROM pg_type t WHERE typnamespace = 'public'::regnamespace ORDER BY 1""",
    "triggers": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
}


def catalogs(url: str) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(url) as connection:
        return {name: connection.execute(query.encode()).fetchall() for name, query in CATALOGS.items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test may change."""
    copy = tmp_path / "migrations"
    copy.mkdir()
    for path in migration_files():
        (copy / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(migrations, "sql_folder", lambda: tmp_path)
    return copy


def test_the_migrations_and_the_schema_file_build_the_same_database(postgres_url: str, empty_postgres_url: str):
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute((sql_folder() / "schema.sql").read_bytes())
    migrated, from_file = catalogs(postgres_url), catalogs(empty_postgres_url)
    assert {"warehouse", "actor", "repo", "like", "load"} <= {row[0] for row in migrated["relations"]}
    assert migrated == from_file


def test_a_difference_of_one_check_is_seen(postgres_url: str, empty_postgres_url: str):
    text = (sql_folder() / "schema.sql").read_text()
    assert text.count("'invalid', ") == 1
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute(text.replace("'invalid', ", "").encode())
    assert catalogs(postgres_url)["columns"] == catalogs(empty_postgres_url)["columns"]
    assert catalogs(postgres_url)["constraints"] != catalogs(empty_postgres_url)["constraints"]


def test_migrating_again_does_nothing(empty_postgres_url: str):
    assert migrate(empty_postgres_url) == [path.stem for path in migration_files()]
    with psycopg.connect(empty_postgres_url) as connection:
        before = connection.execute("SELECT hash_key, created_at FROM warehouse").fetchall()
        assert migrate(empty_postgres_url) == []
        assert connection.execute("SELECT hash_key, created_at FROM warehouse").fetchall() == before
        assert [len(row[0]) for row in before] == [32]


def test_every_warehouse_has_a_secret_of_its_own(empty_postgres_url: str, postgres_url: str):
    migrate(empty_postgres_url)
    with psycopg.connect(empty_postgres_url) as one, psycopg.connect(postgres_url) as other:
        query = "SELECT hash_key FROM warehouse"
        assert one.execute(query).fetchone() != other.execute(query).fetchone()


def test_the_well_known_collections_have_their_numbers(connection: psycopg.Connection):
    planted = connection.execute("SELECT nsid, id FROM collection").fetchall()
    assert dict(planted) == WELL_KNOWN_COLLECTIONS


def test_what_was_applied_is_on_record(connection: psycopg.Connection):
    applied = connection.execute("SELECT name, sha256 FROM migration ORDER BY name").fetchall()
    assert applied == [(path.stem, hashlib.sha256(path.read_bytes()).digest()) for path in migration_files()]


def test_two_processes_that_migrate_at_once_apply_each_migration_once(empty_postgres_url: str):
    start = threading.Barrier(2)

    def run(_: int) -> list[str]:
        start.wait(10)
        return migrate(empty_postgres_url)

    with ThreadPoolExecutor(2) as pool:
        applied = sorted(pool.map(run, range(2), timeout=50), key=len)
    assert applied == [[], [path.stem for path in migration_files()]]


def test_a_new_migration_is_applied_to_a_migrated_database(postgres_url: str, folder: Path):
    (folder / "9999_note.sql").write_text("CREATE TABLE note (text text);\nINSERT INTO note VALUES ('100 %');\n")
    assert migrate(postgres_url) == ["9999_note"]
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("100 %",)]
    assert migrate(postgres_url) == []


def test_likes_of_before_are_given_the_contents_that_they_would_be_loaded_with(empty_postgres_url: str, folder: Path):
    later = {path: path.read_bytes() for path in folder.iterdir() if path.name >= "0016"}
    for path in later:
        path.unlink()
    migrate(empty_postgres_url)
    subject, via = bytes(range(32)), (-5, 7, bytes(range(32, 64)))
    rows = [(subject, None, None), (subject, via, None), (subject, via, b"raw"), (None, None, b"raw")]
    columns = "actor_id, rkey, created_at, subject_collection, subject_cid, via_actor, via_rkey, via_cid, raw"
    with psycopg.connect(empty_postgres_url) as connection:
        for table in ("like", "repost"):
            insert = sql.SQL(f"INSERT INTO {{}} ({columns}) VALUES (1, %s, now(), 1, %s, %s, %s, %s, %s)")
            for number, (cid, through, raw) in enumerate(rows):
                values = (number, cid, *(through or (None, None, None)), raw)
                connection.execute(insert.format(sql.Identifier(table)), values)
    for path, text in later.items():
        path.write_bytes(text)
    assert migrate(empty_postgres_url) == sorted(path.stem for path in later)
    with psycopg.connect(empty_postgres_url) as connection:
        for table in ("like", "repost"):
            query = sql.SQL("SELECT content, via_actor(content), via_rkey(content) FROM {} ORDER BY rkey")
            found = connection.execute(query.format(sql.Identifier(table))).fetchall()
            assert [row[0] for row in found] == [made_content(*row) for row in rows]
            assert [row[1:] for row in found] == [(None, None), (-5, 7), (None, None), (None, None)]


def test_an_applied_migration_that_was_changed_is_refused(postgres_url: str, folder: Path):
    changed = min(folder.iterdir())
    changed.write_text(changed.read_text() + "\n-- changed\n")
    (folder / "9999_note.sql").write_text("CREATE TABLE note (text text);\n")
    before = catalogs(postgres_url)
    with pytest.raises(CorruptStateError, match=rf"{changed.name} was changed after it was applied"):
        migrate(postgres_url)
    assert catalogs(postgres_url) == before


def test_a_migration_that_fails_leaves_nothing_of_the_others(empty_postgres_url: str, folder: Path):
    (folder / "9998_note.sql").write_text("CREATE TABLE note (text text);\n")
    (folder / "9999_wrong.sql").write_text("CREATE TABLE wrong (text nonsense);\n")
    before = catalogs(empty_postgres_url)
    with pytest.raises(psycopg.errors.UndefinedObject):
        migrate(empty_postgres_url)
    assert catalogs(empty_postgres_url) == before


def test_a_collection_that_has_rows_under_its_hash_gets_no_number_behind_their_back(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO collection (id, nsid) VALUES (-5, 'net.example.thing')")
    monkeypatch.setitem(WELL_KNOWN_COLLECTIONS, "net.example.thing", 99)
    with pytest.raises(CorruptStateError, match=r"net\.example\.thing has the key -5, not 99"):
        migrate(postgres_url)


def test_a_server_that_is_not_there_is_a_matter_of_configuration():
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with pytest.raises(ConfigurationError, match="no connection to the warehouse"), connect(url):
        pass
