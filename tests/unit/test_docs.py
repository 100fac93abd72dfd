"""What the documents promise is there: tests, settings, commands, files."""

import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.lake.schemas import BATCHES, LIKE
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import describe_settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def text_of(*documents: Path) -> str:
    return "\n".join(document.read_text(encoding="utf-8") for document in documents)


def test_every_test_that_an_invariant_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", text_of(ROOT / "docs" / "invariants.md")))
    written = set(re.findall(r"def (test_\w+)\(", text_of(*(ROOT / "tests").rglob("test_*.py"))))
    assert named
    assert named <= written


def test_every_setting_that_is_named_exists() -> None:
    known = {variable for variable, _, _ in describe_settings()}
    known |= {f"ZEPPELIN_API_{name.upper()}" for name in ApiSettings.model_fields}
    named = set(re.findall(r"ZEPPELIN_[A-Z_]+", text_of(*DOCUMENTS)))
    assert named
    assert named <= known


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)`", text_of(*DOCUMENTS))) | {"demo", "test"}
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_lakes_example_reads_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"```python\n(.*?)```", text_of(ROOT / "docs" / "lake.md"), re.DOTALL)
    given = {"did": "did:web:a", "rkey": "1", "subject_did": "did:web:b", "created_at": 0}
    table = pa.Table.from_pylist([given], schema=LIKE)
    lake = Lake(f"{tmp_path}/.zeppelin/lake")
    file = lake.write_table("batches/like/tail~00000-0123456789ab.parquet", table)
    lake.write_table("batches/like/tail~00000-leftover.parquet", table)
    listed = {"dataset": "like", "path": file.path, "rows": file.rows, "bytes": file.bytes, "unchanged_rows": 0}
    lake.write_table("batches/_shards/tail~00000.parquet", pa.Table.from_pylist([listed], schema=BATCHES))
    monkeypatch.chdir(tmp_path)
    *statements, last = example.strip().splitlines()
    scope: dict[str, object] = {}
    exec("\n".join(statements), scope)  # noqa: S102 - the example is ours
    result = eval(last, scope)  # noqa: S307 - so is its last line
    assert isinstance(result, pl.DataFrame)
    assert result.rows() == [("did:web:b", 1)]
