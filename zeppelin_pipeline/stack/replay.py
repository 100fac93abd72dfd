"""`zeppelin replay`: what was set aside is judged again, and what became of each reason is printed."""

from rich.console import Console
from rich.table import Table

from zeppelin_pipeline.repos.replay import ReplayRequest, ReplayResult, replay_records
from zeppelin_pipeline.repos.replay_repositories import RepositoryReplay, replay_repositories
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.lake import open_lake, require_shard
from zeppelin_pipeline.warehouse.connection import connect


def run_replay(settings: Settings, request: ReplayRequest, console: Console) -> None:
    """Judge records and repositories again, and print the outcome of each reason."""
    lake = open_lake(settings)
    require_shard(lake, request.shard)
    with connect(settings.require_postgres_url(), application="zeppelin replay", autocommit=True) as connection:
        repositories = replay_repositories(connection, lake, request)
        records = replay_records(connection, request)
    _print_records(console, records)
    _print_repositories(console, repositories)
    if request.is_dry_run:
        console.print("A dry run: nothing was changed.")


def _print_records(console: Console, result: ReplayResult) -> None:
    columns = (result.moved, result.renamed, result.unchanged, result.left)
    _print(console, ("record's reason", "valid now", "another reason", "as before", "written meanwhile"), columns)


def _print_repositories(console: Console, result: RepositoryReplay) -> None:
    columns = (result.loaded, result.unchanged, result.stale)
    _print(console, ("repository's reason", "loaded", "as before", "to be fetched again"), columns)


def _print(console: Console, header: tuple[str, ...], columns: "tuple[dict[str, int], ...]") -> None:
    table = Table(*header, title_justify="left")
    for reason in sorted({reason for column in columns for reason in column}):
        table.add_row(reason, *(f"{column.get(reason, 0):,}" for column in columns))
    console.print(table)
