"""What the documents promise is there: tests, settings, commands, files."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from tests.lake_examples import run_lake_example
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.lake.schemas import (
    BATCHES,
    LIKE,
    LISTING,
    MANIFEST,
    PACK,
    PDS_LIST,
    PLC_OPERATIONS,
    RECORD_DATASETS,
    STALE,
)
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings

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
    known = {variable for variable, _, _ in (*Settings.describe(), *ApiSettings.describe())}
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


def column_of(field: pa.Field) -> str:
    """A column as docs/lake.md writes it: its name, its type, and `?` where it may be null."""
    data_type = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    name = re.sub(r"list<(?:item|element): (.*)>", r"list of \1", str(data_type)).replace(
        "timestamp[us, tz=UTC]", "time"
    )
    return f"`{field.name}` {name}{'?' if field.nullable else ''}"


def test_the_lakes_columns_are_those_of_its_schemas() -> None:
    known = {"pds_list": PDS_LIST, "plc_operations": PLC_OPERATIONS, "listing": LISTING, "shards": MANIFEST}
    known |= {"stale": STALE, "packs": PACK, "batches/_shards": BATCHES} | RECORD_DATASETS
    text = text_of(ROOT / "docs" / "lake.md")
    told = dict(re.findall(r"^\| `([a-z_/]+)` \| (`.*) \|$", text[text.index("## Columns") :], re.MULTILINE))
    assert told == {name: ", ".join(map(column_of, schema)) for name, schema in known.items()}


@pytest.mark.parametrize("library", ["polars", "duckdb"])
def test_the_lakes_examples_read_what_counts(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"did": "did:web:a", "rkey": "1", "subject_did": "did:web:b", "created_at": 0}
    table = pa.Table.from_pylist([given], schema=LIKE)
    lake = Lake(f"{tmp_path}/.zeppelin/lake")
    file = lake.write_table("batches/like/tail~00000-0123456789ab.parquet", table)
    lake.write_table("batches/like/tail~00000-leftover.parquet", table)
    listed = {"dataset": "like", "path": file.path, "rows": file.rows, "bytes": file.bytes, "unchanged_rows": 0}
    lake.write_table("batches/_shards/tail~00000.parquet", pa.Table.from_pylist([listed], schema=BATCHES))
    monkeypatch.chdir(tmp_path)
    assert run_lake_example(library) == [("did:web:b", 1)]
