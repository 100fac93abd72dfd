"""`zeppelin labels`: every labeler followed by a process of its own."""

import asyncio

from rich.console import Console

from zeppelin_pipeline.deployment.labels import Labels
from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.labels.service import LabelReport, LabelSettings, follow_labelers
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.signals import set_on_signals


def run_labels(settings: Settings, console: Console) -> None:
    """Follow every labeler that no other process follows, until SIGTERM or SIGINT.

    Raises:
        psycopg.Error: the warehouse is lost.
    """
    asyncio.run(_follow(labels_of(settings), console))


def labels_of(settings: Settings) -> LabelSettings:
    """How labelers are followed, by a deployment's settings."""
    return Labels.of(settings).settings(settings.require_postgres_url(), Network.of(settings))


async def _follow(settings: LabelSettings, console: Console) -> None:
    until = set_on_signals()
    await follow_labelers(settings, until, lambda report: console.print(describe(report), highlight=False))


def describe(report: LabelReport) -> str:
    """A report in a line."""
    parts = [f"{report.followed:,} labelers", f"{report.written:,} labels"]
    if report.elsewhere:
        parts.append(f"{report.elsewhere:,} labelers followed by another process")
    parts += [f"{count:,} refused: {reason}" for reason, count in report.refused.items()]
    parts += [f"{count:,} down: {reason}" for reason, count in report.failing.items()]
    return ", ".join(parts)
