"""The command line `zeppelin`: one short function a command; the work is elsewhere.

Each function imports what it alone needs, so that no command, and no help, waits for what another one works with.
"""

import errno
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from zeppelin_pipeline.devnet.command import devnet_command
from zeppelin_pipeline.errors import ConfigurationError, ZeppelinError

EXIT_WRONG = 1
EXIT_CONFIGURATION = 2
EXIT_INTERRUPTED = 130

_FOLDERS = "ZEPPELIN_HOME names the folder where everything is kept, ZEPPELIN_LAKE_URL that of the lake"
_REMEDIES = {errno.ENOSPC: "make room and start again: what was done is kept, and not done again"}

# Without rich's markup: it would join the lines of the settings.
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class _SettingsCommand(TyperCommand):
    """A command whose help ends with the settings, which are read only then."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The settings; the arguments are of a library within typer that has no public name."""
        self.epilog = _settings_help()
        super().format_epilog(ctx, formatter)


def _settings_help() -> str:
    """The settings, one a paragraph, for the end of a command's help."""
    from zeppelin_pipeline.settings import Settings

    paragraphs = [
        f"\b\n{variable}{f' [{default}]' if default else ''}\n  {meaning}"
        for variable, default, meaning in Settings.describe()
    ]
    return "\n\n".join(["Settings, by the environment:", *paragraphs])


@app.callback()
def zeppelin() -> None:
    """The whole AT Protocol network, verified from signature to row. Settings are told by `zeppelin up --help`."""


@app.command(cls=_SettingsCommand)
def up(
    *,
    backfill: Annotated[bool, typer.Option(help="Whether to backfill what is missing, or only to serve.")] = True,
) -> None:
    """Start Postgres, Dagster and the API over a real network, backfill it, and stay until Ctrl-C."""
    from rich.console import Console

    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.up import run_up

    run_up(Settings.load(), Console(), is_backfilling=backfill)


@app.command()
def demo(
    *,
    repos: Annotated[int, typer.Option(min=1, help="Accounts of the network.")] = 300,
    hosts: Annotated[int, typer.Option(min=1, help="PDS hosts of the network.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed makes the same network.")] = 1,
    once: Annotated[
        bool, typer.Option("--once", help="Check the answers and end; exit code 1 if any is wrong.")
    ] = False,
) -> None:
    """Do the whole way over a small network on loopback, and stay until Ctrl-C. A second run resumes."""
    from rich.console import Console

    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.demo import DemoNetwork, run_demo

    if not run_demo(Settings.load(), DemoNetwork(repos, hosts, seed), Console(), is_once=once):
        raise typer.Exit(EXIT_WRONG)


@app.command("compile")
def compile_command() -> None:
    """Compile what reads repositories, which `up` and `demo` would do at their first start."""
    from rich.console import Console

    from zeppelin_pipeline.stack.kernels import compile_kernels

    compile_kernels(Console())


@app.command("migrate")
def migrate_command() -> None:
    """Bring the warehouse to the current schema."""
    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.warehouse import warehouse_of
    from zeppelin_pipeline.warehouse.migrations import migrate

    with warehouse_of(Settings.load()) as settings:
        for name in migrate(settings.require_postgres_url()) or ["nothing to do"]:
            typer.echo(name)


@app.command()
def status(*, is_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show how much of the network is in the warehouse, and what was set aside."""
    from rich.console import Console

    from zeppelin_pipeline.repos.manifests import list_shards
    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.lake import open_lake
    from zeppelin_pipeline.stack.status import print_status, status_json
    from zeppelin_pipeline.stack.tally import read_status
    from zeppelin_pipeline.stack.warehouse import kept_warehouse
    from zeppelin_pipeline.warehouse.migrations import migrate

    with kept_warehouse(Settings.load()) as settings:
        migrate(settings.require_postgres_url())
        shards = len(list_shards(open_lake(settings)))
        read = read_status(settings.require_postgres_url())
        if is_json:
            typer.echo(status_json(read, shards))
        else:
            print_status(Console(), read, shards)


@app.command()
def replay(
    *,
    reason: Annotated[str | None, typer.Option(help="Only what was set aside for this reason.")] = None,
    shard: Annotated[str | None, typer.Option(help="Only what is of this shard.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of it.")] = False,
) -> None:
    """Judge again what was set aside, after a fix: records from the warehouse alone, repositories from their packs."""
    from rich.console import Console

    from zeppelin_pipeline.repos.replay import ReplayRequest
    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.replay import run_replay
    from zeppelin_pipeline.stack.warehouse import kept_warehouse

    with kept_warehouse(Settings.load()) as settings:
        run_replay(settings, ReplayRequest(reason, shard, is_dry_run=dry_run), Console())


@app.command()
def refetch(
    dids: Annotated[list[str] | None, typer.Argument(help="Accounts whose repositories are fetched again.")] = None,
    *,
    stale: Annotated[bool, typer.Option("--stale", help="Those that `stale_repos` found, or finds now.")] = False,
    shard: Annotated[
        str | None, typer.Option(help="Every repository of a shard; with --stale only its stale ones.")
    ] = None,
    accept_older: Annotated[
        bool, typer.Option("--accept-older", help="Take what the hosts of the named accounts give, though it is older.")
    ] = False,
) -> None:
    """Fetch repositories again and reconcile the lake and the warehouse with them."""
    from rich.console import Console

    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.refetch import RefetchRequest, run_refetch
    from zeppelin_pipeline.stack.warehouse import kept_warehouse

    with kept_warehouse(Settings.load()) as settings:
        request = RefetchRequest(tuple(dids or ()), shard, is_stale=stale, accepts_older=accept_older)
        if not run_refetch(settings, request, Console()):
            raise typer.Exit(EXIT_WRONG)


@app.command()
def verify(
    dids: Annotated[list[str] | None, typer.Argument(help="Accounts whose repositories are verified.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All repositories that are held.")] = False,
    sample: Annotated[int, typer.Option(min=0, help="So many repositories at random.")] = 0,
    shard: Annotated[str | None, typer.Option(help="Only those of a shard: all of it, or a sample of it.")] = None,
) -> None:
    """Rebuild repositories from the warehouse alone and compare them with what their owners signed."""
    from rich.console import Console

    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.lake import open_lake
    from zeppelin_pipeline.stack.verify import AuditRequest, run_verify
    from zeppelin_pipeline.stack.warehouse import kept_warehouse

    request = AuditRequest(tuple(dids or ()), is_all=everything, sample=sample, shard=shard)
    with kept_warehouse(Settings.load()) as settings:
        if not run_verify(settings.require_postgres_url(), open_lake(settings), request, Console()):
            raise typer.Exit(EXIT_WRONG)


@app.command()
def firehose(
    *,
    cursor: Annotated[
        str | None, typer.Option(help="Go on behind this event of each relay, or at its present: `now`.")
    ] = None,
) -> None:
    """Follow the relays' live events into the warehouse until Ctrl-C, without Dagster."""
    from rich.console import Console

    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.firehose import run_firehose, set_cursors
    from zeppelin_pipeline.stack.warehouse import warehouse_of
    from zeppelin_pipeline.warehouse.migrations import migrate

    with warehouse_of(Settings.load()) as settings:
        migrate(settings.require_postgres_url())
        if cursor is not None:
            set_cursors(settings, cursor)
        run_firehose(settings, Console())


@app.command()
def labels() -> None:
    """Follow every labeler's labels into the warehouse until Ctrl-C."""
    from rich.console import Console

    from zeppelin_pipeline.settings import Settings
    from zeppelin_pipeline.stack.labels import run_labels
    from zeppelin_pipeline.stack.warehouse import warehouse_of
    from zeppelin_pipeline.warehouse.migrations import migrate

    with warehouse_of(Settings.load()) as settings:
        migrate(settings.require_postgres_url())
        run_labels(settings, Console())


app.command("devnet")(devnet_command)


def main() -> None:
    """The entry point: errors of ours, missing files and a lost database become one line and an exit code."""
    try:
        app()
    except ConfigurationError as error:
        _fail(error, EXIT_CONFIGURATION)
    except ZeppelinError as error:
        _fail(error, EXIT_WRONG)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}; {_REMEDIES.get(error.errno or 0, _FOLDERS)}", EXIT_WRONG)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        from psycopg import OperationalError

        if not isinstance(error, OperationalError):
            raise
        said = str(error).partition("\n")[0]
        _fail(f"the warehouse was lost: {said}; start again when it is there: what was done is kept", EXIT_WRONG)


def _fail(error: ZeppelinError | str, code: int) -> None:
    typer.echo(f"zeppelin: {error}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
