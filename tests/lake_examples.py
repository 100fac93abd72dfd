"""Runs the examples of docs/lake.md, which read the lake below the working directory. No tests here."""

import re
from pathlib import Path
from typing import Any

import polars as pl

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "lake.md"


def run_lake_example(library: str) -> list[tuple[Any, ...]]:
    """The rows that the last line of the example with a library gives."""
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    [example] = [text for text in examples if text.startswith(f"import {library}")]
    *statements, last = example.strip().splitlines()
    scope: dict[str, Any] = {}
    exec("\n".join(statements), scope)  # noqa: S102 - the example is ours
    result = eval(last, scope)  # noqa: S307 - so is its last line
    return result.rows() if isinstance(result, pl.DataFrame) else result
