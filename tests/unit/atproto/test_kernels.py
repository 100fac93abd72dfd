"""Kernels one by one: hashes, both ways of making them, and how their machine code is kept."""

import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from zeppelin_pipeline.atproto.kernels.machine_code import remove_unused
from zeppelin_pipeline.atproto.kernels.sha256 import DIGEST_BYTES, digest_each

ROOT = Path(__file__).resolve().parents[3]
MESSAGES = [bytes(range(size % 256)) * (size // 256 + 1) for size in range(400)]
SCAN_ONE = """
import resource, sys, time
from tests.unit.atproto.samples import sample_repository
car = sample_repository(20).car
started = time.process_time()
from zeppelin_pipeline.atproto.scan import scan_repository
assert len(scan_repository(car)) == 20
print(time.process_time() - started)
"""


def digests_of(messages: list[bytes]) -> list[bytes]:
    digests = np.zeros(DIGEST_BYTES * len(messages), np.uint8)
    offsets = np.cumsum([0, *map(len, messages)], dtype=np.int64)
    digest_each(np.frombuffer(b"".join(messages), np.uint8), offsets, digests)
    return [row.tobytes() for row in digests.reshape(-1, DIGEST_BYTES)]


def test_digests_of_all_lengths_are_those_of_the_standard_library() -> None:
    assert digests_of(MESSAGES) == [sha256(message).digest() for message in MESSAGES]


def run(program: str, **environment: str) -> float:
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return float(answer.stdout)


@pytest.mark.timeout(600)
def test_kernels_for_any_processor_with_bounds_checked_are_compiled_once_for_all_processes(tmp_path: Path) -> None:
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (run(SCAN_ONE, **environment) for _ in range(2))
    assert second < first / 2
    assert len([*tmp_path.glob("kernels-*")]) == 1


def test_a_kernel_has_one_version_and_refuses_what_it_was_not_made_for() -> None:
    digests = np.zeros(DIGEST_BYTES, np.uint8)
    offsets = np.array([0, 3], np.int64)
    for is_writable in (True, False):
        data = np.zeros(3, np.uint8)
        data.flags.writeable = is_writable
        digest_each(data, offsets, digests)
        assert digests.tobytes() == sha256(bytes(3)).digest()
    with pytest.raises(TypeError):
        digest_each(np.zeros(3, np.int32), offsets, digests)
    assert len(digest_each.signatures) == 1  # type: ignore[attr-defined]  # of Numba


def test_machine_code_of_former_kernels_goes_when_nobody_has_used_it_for_a_week(tmp_path: Path) -> None:
    for name in ("kernels-left", "kernels-used", "else"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "turn.lock").touch()
    week_ago = time.time() - 8 * 86_400
    for name in ("kernels-left", "else"):
        os.utime(tmp_path / name, (week_ago, week_ago))
    remove_unused(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["else", "kernels-used"]
