"""How results are shown on a materialization: tables, rates, plots. Numbers become plots by themselves."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import dagster as dg

Cell: TypeAlias = str | int | float | None


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> dg.MarkdownMetadataValue:
    """A table; columns of numbers are set to the right, with thousands parted."""
    if not rows:
        return dg.MetadataValue.md("none")
    rule = [" ---: " if isinstance(cell, int | float) else " --- " for cell in rows[0]]
    lines = [_line(header), f"|{'|'.join(rule)}|", *(_line([_text(cell) for cell in row]) for row in rows)]
    return dg.MetadataValue.md("\n".join(lines))


def counts_table(name: str, counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Counts by name, the largest first."""
    return markdown_table([name, "count"], sorted(counts.items(), key=_largest_first))


def _largest_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def rate(amount: float, seconds: float) -> float:
    """Amount a second, to a tenth; 0 when no time was measured."""
    return round(amount / seconds, 1) if seconds > 0 else 0.0


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:,.1f}"
        case str():
            return cell.replace("|", "\\|").replace("\n", " ")
