"""The store's promise: a file is wholly there or not at all, on a local disk and elsewhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import Lake

TABLE = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "text": ["a", "b", "c"]})


@pytest.fixture(params=["local", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield Lake(str(tmp_path / "lake"))
        return
    root = f"memory://lake-{os.getpid()}-{tmp_path.name}"
    yield Lake(root)
    memory = fsspec.filesystem("memory")
    if memory.exists(root):
        memory.rm(root, recursive=True)


def test_a_table_is_read_back_with_its_metadata(lake: Lake) -> None:
    stats = lake.write_table("a/b.parquet", TABLE, metadata={"cursor": "", "note": "ü"})
    with lake.open_parquet("a/b.parquet") as file:
        assert file.read().equals(TABLE)
    assert lake.read_metadata("a/b.parquet") == {"cursor": "", "note": "ü"}
    assert (stats.path, stats.rows, stats.bytes) == ("a/b.parquet", 3, lake.size("a/b.parquet"))


def test_a_file_does_not_exist_before_its_commit(lake: Lake) -> None:
    with lake.open_writer("a/b.parquet", TABLE.schema) as writer:
        writer.write_table(TABLE)
        assert not lake.exists("a/b.parquet")
        assert lake.list("a") == []
        writer.commit({"rows": "3"})
    assert lake.list("a") == ["a/b.parquet"]
    assert lake.read_metadata("a/b.parquet") == {"rows": "3"}


def test_each_batch_becomes_a_row_group(lake: Lake) -> None:
    with lake.open_writer("a.parquet", TABLE.schema) as writer:
        writer.write_batch(TABLE.to_batches()[0])
        writer.write_batch(TABLE.to_batches()[0])
        writer.write_table(TABLE, row_group_rows=2)
        assert writer.commit().rows == 9
    with lake.open_parquet("a.parquet") as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 3, 2, 1]


def test_an_error_in_the_writer_leaves_the_old_file(lake: Lake) -> None:
    lake.write_table("a/b.parquet", TABLE)

    def fail_half_way() -> None:
        with lake.open_writer("a/b.parquet", TABLE.schema) as writer:
            writer.write_table(TABLE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with lake.open_parquet("a/b.parquet") as file:
        assert file.metadata.num_rows == 3
    assert lake.list("a") == ["a/b.parquet"]


def test_leaving_without_commit_leaves_nothing(lake: Lake) -> None:
    with lake.open_writer("a/b.parquet", TABLE.schema) as writer:
        writer.write_table(TABLE)
    assert lake.list("a") == []
    assert not lake.exists("a/b.parquet")


def test_an_empty_file_keeps_its_schema(lake: Lake) -> None:
    lake.write_table("a.parquet", TABLE.schema.empty_table())
    with lake.open_parquet("a.parquet") as file:
        assert file.schema_arrow.equals(TABLE.schema)
        assert file.metadata.num_rows == 0


def test_files_are_listed_by_folder_and_sorted(lake: Lake) -> None:
    for path in ("x/b.parquet", "x/a.parquet", "x/y/c.parquet", "xx/d.parquet"):
        lake.write_table(path, TABLE)
    assert lake.list("x") == ["x/a.parquet", "x/b.parquet", "x/y/c.parquet"]
    assert lake.folders("x") == ["y"]
    assert lake.list("nothing") == lake.folders("nothing") == []


def test_a_deleted_file_is_gone_and_may_be_deleted_again(lake: Lake) -> None:
    lake.write_table("a/b.parquet", TABLE)
    lake.delete("a/b.parquet")
    lake.delete("a/b.parquet")
    assert not lake.exists("a/b.parquet")
    with pytest.raises(FileNotFoundError):
        lake.open_parquet("a/b.parquet")


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "a/../../x", "a//b", "a/./b", "a\\b", "a\0b"])
def test_a_path_that_could_leave_the_lake_is_refused(lake: Lake, path: str) -> None:
    with pytest.raises(ValueError, match="inside the lake"):
        lake.write_table(path, TABLE)


def test_what_a_killed_writer_left_is_not_listed_and_is_swept_when_old(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.write_table("a/b.parquet", TABLE)
    writer = lake.open_writer("a/c.parquet", TABLE.schema)
    (left,) = (file for file in (tmp_path / "a").iterdir() if file.name != "b.parquet")
    assert lake.list("a") == ["a/b.parquet"]
    assert lake.sweep() == []
    os.utime(left, (0, 0))
    assert lake.sweep() == [f"a/{left.name}"]
    assert lake.list("a") == ["a/b.parquet"]
    writer.abort()


def test_a_url_without_a_file_system_is_the_operators_mistake() -> None:
    with pytest.raises(ConfigurationError, match="nosuch"):
        Lake("nosuch://bucket/lake")
