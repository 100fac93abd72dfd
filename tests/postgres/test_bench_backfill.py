"""That the backfill bench takes a small network in whole and reports on every stage. Its figures do not matter here."""

from pathlib import Path

import pytest

from bench.backfill import Side, print_report, ratios
from bench.backfill_input import make_input
from bench.backfill_ours import COUNTS, END_TO_END, EXTRACT, INDEXES, LOAD, Processes, run_ours
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.indexes import declared_indexes

CONFIG = DevnetConfig(repos=20, mean_records=30)


def test_every_stage_of_a_small_backfill_is_measured_and_printed(
    postgres_server: EmbeddedPostgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_input(CONFIG, 3, out=tmp_path)
    run = run_ours(postgres_server, made, made, Processes())
    side = Side("ours", {stage.name: stage for stage in run.stages}, run.sizes, made.records)
    print_report(made, side, [], runs=1)
    printed = capsys.readouterr().out
    assert list(side.stages) == [EXTRACT, LOAD, INDEXES, COUNTS, END_TO_END]
    for stage in run.stages:
        assert stage.name in printed
        assert min(stage.records, stage.wall_seconds, stage.cpu_seconds, stage.peak_bytes) > 0
    measured = {size.name for size in run.sizes}
    assert {index.name for index in declared_indexes() if index.table in measured} <= measured
    assert {"like", "post", "post_counts", "actor_counts"} <= measured
    assert ratios(side, []) == {}
    assert run.start_seconds > 0


def test_the_input_is_made_once_and_is_the_same_bytes_in_packs_and_files(tmp_path: Path) -> None:
    made = make_input(CONFIG, 2, out=tmp_path)
    marker = made.folder / "cars" / "did:web:marker.car"
    marker.touch()
    again = make_input(CONFIG, 2, out=tmp_path)
    assert again == made
    assert marker in again.cars()
    marker.unlink()
    assert len(again.cars()) == again.repositories == CONFIG.repos
    assert sum(car.stat().st_size for car in again.cars()) == again.car_bytes
