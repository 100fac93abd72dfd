"""What is done before a stack starts."""

import os
import time
from pathlib import Path

from zeppelin_pipeline.lake.store import SWEEP_AGE_SECONDS, Lake
from zeppelin_pipeline.lake.writer import TEMPORARY_SUFFIX
from zeppelin_pipeline.stack.running import sweep_lake


def test_unfinished_files_of_killed_runs_are_removed_and_told(tmp_path: Path) -> None:
    old, young, whole = (tmp_path / name for name in (f".a{TEMPORARY_SUFFIX}", f".b{TEMPORARY_SUFFIX}", "c.parquet"))
    for file in (old, young, whole):
        file.touch()
    long_ago = time.time() - SWEEP_AGE_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    said: list[str] = []
    sweep_lake(Lake(str(tmp_path)), said.append)
    assert set(tmp_path.iterdir()) == {young, whole}
    assert said == ["lake: 1 unfinished files of killed runs removed"]
    sweep_lake(Lake(str(tmp_path)), said.append)
    assert len(said) == 1
