"""Backfill and live at once, every process killed once, hosts and relay at fault: the long run in a few seconds."""

import tempfile
from pathlib import Path

import pytest

from bench.chaos import ChaosSettings, chaos_over
from bench.chaos_stages import STAGES
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

SHORT = ChaosSettings(
    seconds=16,
    rate=40,
    seed=4,
    repos=24,
    mean_records=15,
    kill_period_seconds=16,
    backlog_seconds=120,
    settle_seconds=240,
    processes=(STAGES,),
)


@pytest.mark.timeout(400)
def test_whatever_is_killed_the_warehouse_comes_to_equal_the_network() -> None:
    with tempfile.TemporaryDirectory(prefix="zeppelin-tests-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # the server may run under another account
        with (
            EmbeddedPostgres(home / "postgres", settings={"max_connections": "40"}) as server,
            chaos_over(SHORT, server, home) as chaos,
        ):
            chaos.run()
            assert chaos.result.faults == [], "\n".join(chaos.summary())
            assert chaos.result.events_applied > SHORT.rate
            assert {"postgres", "firehose", "-".join(STAGES)} <= chaos.result.kills.keys()
