"""Named queries as the driver takes them: parameters by number in place of names. No connection here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.queries import load_queries

_PARAMETER: Final = re.compile(r"%\((\w+)\)s|%(.?)")
#: A value that stands in the text of a statement.
Literal: TypeAlias = bool | int | tuple[int, ...]
#: Parameters on whose value it depends which index can be used, or which tables are read at all: each value, of which
#: there are few, is a statement of its own.
LITERALS: Final[Mapping[str, str]] = {
    "get_accounts": "has_handles",
    "get_likes": "collection",
    "get_likes_by_account": "collection",
    "get_records": "kinds",
    "get_reposters": "collection",
    "get_reposters_by_account": "collection",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One query.

    Attributes:
        text: with `$1`, `$2`, … where the parameters stand.
        names: of the parameters by these numbers.
    """

    text: str
    names: tuple[str, ...]


@cache
def statement(query: str, literal: Literal | None = None) -> Statement:
    """A named query; one of `LITERALS` for that value of its parameter.

    Raises:
        CorruptStateError: the text has a `%` that stands for no named parameter.
    """
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            if found[2] == "%":
                return "%"
            raise CorruptStateError(f"{query}: {found[0]} is no named parameter")
        if literal is not None and name == LITERALS[query]:
            return _text(literal)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return Statement(_PARAMETER.sub(number, load_queries()[query]), tuple(names))


def _text(literal: Literal) -> str:
    if isinstance(literal, tuple):
        return "'{" + ",".join(map(str, literal)) + "}'"
    return str(literal).lower()
