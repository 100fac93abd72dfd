"""Extraction of one huge repository: its memory grows with the CAR itself, and little else."""

from pathlib import Path

import pytest

from bench.extract import apart
from bench.memory import make_pack, measure_extraction

RECORDS = (50_000, 150_000)
#: The CAR once, and an index: beside it nothing of its size may be held.
MAX_GROWTH = 2.0


@pytest.mark.timeout(600)
def test_memory_grows_by_less_than_twice_the_car(tmp_path: Path) -> None:
    car_bytes: list[float] = []
    peak_bytes: list[float] = []
    for records in RECORDS:
        folder = str(tmp_path / str(records))
        car_bytes.append(apart(make_pack, folder, records)["car_bytes"])
        peak_bytes.append(apart(measure_extraction, folder)["peak_bytes"])
    assert peak_bytes[1] - peak_bytes[0] < MAX_GROWTH * (car_bytes[1] - car_bytes[0])
