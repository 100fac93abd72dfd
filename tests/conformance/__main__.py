"""Asks the official AppView and ours the same, and compares: `python -m tests.conformance --help`."""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path

from tests.conformance.answers import Asker
from tests.conformance.comparison import differences
from tests.conformance.ground import SEEDS, Ground, standing_ground
from tests.conformance.ours import running_api
from tests.conformance.questions import Question, all_questions
from tests.conformance.report import DOCUMENT, Report, chosen_differences

HOME = Path(".zeppelin") / "conformance"
ASKED_AT_ONCE = 4
#: The reduced set: so many questions of each method, evenly taken from all.
REDUCED_QUESTIONS = 25
REDUCED_SEEDS = ("ours",)
REPORT = "report.json"


def main() -> int:
    """One run; the exit status is 0 when nothing differs but what the document names."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the servers are ended
    options = _options()
    seeds = REDUCED_SEEDS if options.reduced else SEEDS
    with standing_ground(options.home, seeds, ingests=options.ingest) as ground:
        report = _compare(ground, options)
        written = options.report or options.home / REPORT
        report.write(written)
        print(report.table())  # noqa: T201 - a command
        print(f"every difference with examples: {written}")  # noqa: T201
        is_good = _judge(report, is_whole=not options.reduced and not options.method)
        if options.keep:
            print("kept running until Ctrl-C or SIGTERM", flush=True)  # noqa: T201
            _wait()
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--method", action="append", default=[], help="ask these methods only (pattern; repeatable)")
    parser.add_argument("--reduced", action="store_true", help="fewer contents, and some questions of each method")
    parser.add_argument("--keep", action="store_true", help="keep all running for other runs, until Ctrl-C")
    parser.add_argument(
        "--ingest", action="store_true", help="take a kept network in anew: after changes below the API"
    )
    parser.add_argument("--home", type=Path, default=HOME, help="for all files; a run attaches to one kept there")
    parser.add_argument("--report", type=Path, help=f"file for the report (default: {REPORT} in the home)")
    options = parser.parse_args()
    options.home = options.home.resolve()
    return options


def _compare(ground: Ground, options: argparse.Namespace) -> Report:
    report = Report(chosen_differences(DOCUMENT.read_text(encoding="utf-8")))
    questions = list(_selected(ground, options))
    with (
        running_api(ground.warehouse_url, ground.addresses.plc_url) as url,
        closing(Asker(ground.addresses.appview_url)) as official,
        closing(Asker(url)) as ours,
        ThreadPoolExecutor(ASKED_AT_ONCE) as pool,
    ):
        for question, found in zip(
            questions,
            pool.map(lambda question: differences(official.ask(question), ours.ask(question)), questions),
            strict=True,
        ):
            report.add(question, found)
    return report


def _selected(ground: Ground, options: argparse.Namespace) -> Iterator[Question]:
    questions = [
        question
        for question in all_questions(ground.world)
        if not options.method or any(fnmatchcase(question.method, pattern) for pattern in options.method)
    ]
    if not options.reduced:
        yield from questions
        return
    by_method = Counter(question.method for question in questions)
    seen: Counter[str] = Counter()
    for question in questions:
        step = max(1, by_method[question.method] // REDUCED_QUESTIONS)
        if seen[question.method] % step == 0:
            yield question
        seen[question.method] += 1


def _judge(report: Report, *, is_whole: bool) -> bool:
    """Whether the document names all that differs and, when all was asked, nothing that no longer does."""
    unlisted = report.unlisted()
    for method, paths in unlisted.items():
        print(f"not in {DOCUMENT.name}: {method}: {', '.join(paths)}")  # noqa: T201
    outlived = report.outlived() if is_whole else []
    for each in outlived:
        print(f"no longer so, but in {DOCUMENT.name}: {each.method} {each.path}")  # noqa: T201
    return not unlisted and not outlived


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
