"""Progress of the stages in the terminal: a bar, how many are done, records and their rate. No knowledge of Dagster."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Stage:
    """One line of progress."""

    def __init__(self, progress: Progress, task: TaskID, done: int) -> None:
        self.done = done
        self._progress = progress
        self._task = task
        self._first_records: int | None = None
        self._started = time.monotonic()

    def show(self, done: int, *, records: int | None = None, note: str = "") -> None:
        """Set what is done; records are a total, from whose growth a rate is shown."""
        self.done = done
        detail = note if records is None else f"{records:,} records, {self._rate(records):,.0f}/s  {note}"
        self._progress.update(self._task, completed=done, detail=detail)

    def _rate(self, records: int) -> float:
        """Records a second since the first look."""
        if self._first_records is None:
            self._first_records, self._started = records, time.monotonic()
        return (records - self._first_records) / max(time.monotonic() - self._started, 1.0)


class StageProgress:
    """The lines of all stages, drawn in the terminal; without one, each stage's end is a printed line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def drawn(self) -> Generator[None]:
        """Draw while the block runs."""
        with self._progress:
            yield

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Generator[Stage]:
        """A stage of so many parts, of which some were done before."""
        note = f"{done:,} done before" if done else ""
        task = self._progress.add_task(title, total=total, completed=done, detail=note)
        stage = Stage(self._progress, task, done)
        started = time.monotonic()
        yield stage
        if not self._console.is_terminal:
            seconds = time.monotonic() - started
            self._console.print(f"{title}: {stage.done:,} of {total:,} in {seconds:.1f} s {note}".rstrip())
