"""The report of a run: by method how many answers are equal, and each kind of difference with examples."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from tests.conformance.comparison import Difference
from tests.conformance.questions import Question

EXAMPLES: Final = 5
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "conformance.md"
#: A row of the document's table: method, path, reason.
_ROW: Final = re.compile(r"^\| `(?P<method>[^`]+)` \| `(?P<path>[^`]+)` \| (?P<reason>.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A difference that is chosen on purpose.

    Attributes:
        method: pattern of methods.
        path: pattern of paths within their answers.
        reason: why.
    """

    method: str
    path: str
    reason: str

    def covers(self, method: str, path: str) -> bool:
        """Whether it is about a difference."""
        return fnmatchcase(method, self.method) and fnmatchcase(path.replace("[", "<"), self.path.replace("[", "<"))


@dataclass(slots=True)
class MethodReport:
    """One method: how often it was asked, how often the answers were equal, and what differed where."""

    asked: int = 0
    equal: int = 0
    chosen: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    def add(self, question: Question, found: list[Difference], chosen: set[str]) -> None:
        """Counts an answer; `chosen` are the paths of differences that are meant."""
        self.asked += 1
        self.equal += not found
        self.chosen += bool(found) and all(difference.path in chosen for difference in found)
        for path in {difference.path for difference in found}:
            self.counts[path] += 1
        for difference in found:
            kept = self.examples.setdefault(difference.path, [])
            if len(kept) < EXAMPLES:
                kept.append(
                    {
                        "parameters": [list(pair) for pair in question.parameters[:4]],
                        "official": difference.official,
                        "ours": difference.ours,
                    }
                )


class Report:
    """All methods, against the document of chosen differences."""

    def __init__(self, chosen: Iterable[Chosen]) -> None:
        self._chosen = tuple(chosen)
        self._occurred: set[Chosen] = set()
        self.methods: dict[str, MethodReport] = {}

    def add(self, question: Question, found: list[Difference]) -> None:
        """Takes in one comparison."""
        method = question.method
        meant: set[str] = set()
        for difference in found:
            covering = [each for each in self._chosen if each.covers(method, difference.path)]
            self._occurred.update(covering)
            if covering:
                meant.add(difference.path)
        self.methods.setdefault(method, MethodReport()).add(question, found, meant)

    def unlisted(self) -> dict[str, list[str]]:
        """By method, the paths of differences that the document does not name."""
        found = {
            method: [path for path in each.counts if not any(chosen.covers(method, path) for chosen in self._chosen)]
            for method, each in self.methods.items()
        }
        return {method: paths for method, paths in found.items() if paths}

    def outlived(self) -> list[Chosen]:
        """Differences that the document names and that no longer occur."""
        return [each for each in self._chosen if each not in self._occurred]

    def document(self) -> dict[str, Any]:
        """The report as JSON: by method, differences by path, the most frequent first."""
        return {method: self._method_document(method, each) for method, each in sorted(self.methods.items())}

    def _method_document(self, method: str, each: MethodReport) -> dict[str, Any]:
        reasons = {
            path: next((chosen.reason for chosen in self._chosen if chosen.covers(method, path)), None)
            for path in each.counts
        }
        return {
            "asked": each.asked,
            "equal": each.equal,
            "chosen": each.chosen,
            "different": each.asked - each.equal - each.chosen,
            "differences": [
                {"path": path, "answers": count, "chosen": reasons[path], "examples": each.examples[path]}
                for path, count in each.counts.most_common()
            ],
        }

    def table(self) -> str:
        """The report for people."""
        lines = [f"{'method':52} {'asked':>6} {'equal':>6} {'chosen':>6} {'differ':>6}"]
        for method, each in sorted(self.methods.items()):
            differing = each.asked - each.equal - each.chosen
            lines.append(f"{method:52} {each.asked:6} {each.equal:6} {each.chosen:6} {differing:6}")
            unlisted = self.unlisted().get(method, [])
            lines += [
                f"    {each.counts[path]:5} {path}" for path in sorted(unlisted, key=lambda path: -each.counts[path])
            ]
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Writes the JSON."""
        path.write_text(json.dumps(self.document(), indent=1, ensure_ascii=False), encoding="utf-8")


def chosen_differences(text: str) -> list[Chosen]:
    """The rows of the document's table."""
    return [Chosen(row["method"], row["path"], row["reason"]) for row in _ROW.finditer(text)]
