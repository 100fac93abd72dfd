"""`zeppelin up`: the stack over a real network, and the backfill of what is missing."""

from rich.console import Console

from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.backfill import BackfillLauncher, BackfillReport
from zeppelin_pipeline.stack.kernels import compile_kernels
from zeppelin_pipeline.stack.progress import StageProgress
from zeppelin_pipeline.stack.running import RunningStack, running_stack
from zeppelin_pipeline.stack.summary import print_addresses, print_summary
from zeppelin_pipeline.stack.supervisor import Supervisor, terminating_as_interrupt


def run_up(settings: Settings, console: Console, *, is_backfilling: bool) -> None:
    """Start the stack, backfill if asked to, and stay until a signal.

    Raises:
        ZeppelinError: something could not be started, or ended by itself.
    """
    compile_kernels(console)
    with (
        terminating_as_interrupt(),
        Supervisor(settings.home / "logs") as supervisor,
        running_stack(settings, supervisor, console.print) as stack,
    ):
        if is_backfilling:
            backfill(stack, console)
        print_addresses(console, stack)
        stay(stack, console)


def backfill(stack: RunningStack, console: Console) -> BackfillReport:
    """Run the backfill with its progress, and print what it did."""
    progress = StageProgress(console)
    with progress.drawn():
        report = BackfillLauncher(stack, progress).run()
    if report.shards and report.shards == report.shards_before:
        console.print("Every shard was loaded by an earlier run: nothing was fetched again.")
    print_summary(console, stack, report)
    return report


def stay(stack: RunningStack, console: Console) -> None:
    """Watch over the programs until a signal, which is the ordinary end."""
    try:
        console.print("\nRunning. Ctrl-C stops everything.")
        stack.supervisor.watch()
    except KeyboardInterrupt:
        console.print("Stopping.")
