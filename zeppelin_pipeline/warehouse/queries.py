"""The reader of named queries: SQL lives in `sql/`, never in Python strings.

A query begins with a line `-- name: the_name`, is followed by a comment line that says what for, and ends
where the next begins.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString, cast

from zeppelin_pipeline.errors import CorruptStateError

_NAME = re.compile(r"^-- name: *([a-z][a-z0-9_]*) *$", re.MULTILINE)


def sql_folder() -> Path:
    """The folder of schema, migrations, indexes and queries: of the source tree, or as packed into the wheel."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package.parent / "sql", package / "_sql"):
        if (folder / "schema.sql").is_file():
            return folder
    raise CorruptStateError(f"no sql folder beside or in {package}")


@cache
def load_queries() -> Mapping[str, LiteralString]:
    """Every named query of `sql/queries/*.sql` by its name.

    Raises:
        CorruptStateError: two queries share a name, or a file has text before its first name.
    """
    queries: dict[str, LiteralString] = {}
    for path in sorted((sql_folder() / "queries").glob("*.sql")):
        for name, text in _split(path):
            if name in queries:
                raise CorruptStateError(f"{path.name}: the query {name} is there twice")
            queries[name] = text
    return MappingProxyType(queries)


def _split(path: Path) -> list[tuple[str, LiteralString]]:
    head, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    stray = [line for line in head.splitlines() if line.strip() and not line.startswith("--")]
    if stray:
        raise CorruptStateError(f"{path.name}: text before the first name: {stray[0]}")
    # The files are ours, as literal as a string in the code: psycopg asks for that to keep outside text out of SQL.
    return [(name, cast("LiteralString", text.strip())) for name, text in zip(parts[::2], parts[1::2], strict=True)]
