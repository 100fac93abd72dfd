"""`zeppelin labels`: every labeler followed by a process of its own."""

import asyncio

from rich.console import Console

from zeppelin_pipeline.labels.service import LabelReport, LabelSettings, follow_labelers, label_settings
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.following import client_settings, set_on_signals


def run_labels(settings: Settings, console: Console) -> None:
    """Follow every labeler that no other process follows, until SIGTERM or SIGINT.

    Raises:
        psycopg.Error: the warehouse is lost.
    """
    asyncio.run(_follow(labels_of(settings), console))


def labels_of(settings: Settings) -> LabelSettings:
    """How labelers are followed, by a deployment's settings."""
    return label_settings(
        postgres_url=settings.require_postgres_url(),
        plc_url=settings.plc_url,
        clients=client_settings(settings),
        most_labelers=settings.labels_most_labelers,
        memory_bytes=settings.labels_memory_bytes,
        labels_per_second=settings.labels_per_second,
        bytes_per_second=settings.labels_bytes_per_second,
        rows=settings.labels_rows,
        quarantine=settings.labels_quarantine,
    )


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
