"""What is done before a stack starts."""

import os
import socket
import time
from pathlib import Path

import pytest

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import SWEEP_AGE_SECONDS, Lake
from zeppelin_pipeline.lake.writer import TEMPORARY_SUFFIX
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.running import api_program, choose_port, sweep_lake


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


def test_a_port_that_was_set_is_that_one_or_an_error_and_the_default_gives_way(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is taken: set ZEPPELIN_API_PORT"):
            choose_port(Settings.load(home=tmp_path, api_port=port), "api_port")
        assert choose_port(Settings.model_construct({"home"}, home=tmp_path, api_port=port), "api_port") != port


def test_images_of_a_network_that_no_cdn_knows_are_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "ZEPPELIN_API_IMAGE_URL_PATTERN"
    monkeypatch.delenv(variable, raising=False)
    private = Settings.load(home=tmp_path, api_port=2584, allow_private_hosts=True)

    assert api_program(private).environment[variable] == "http://127.0.0.1:2584/img/{preset}/plain/{did}/{cid}"
    assert variable not in api_program(Settings.load(home=tmp_path)).environment
    monkeypatch.setenv(variable, "https://cdn.test/{cid}")
    assert api_program(private).environment[variable] == "https://cdn.test/{cid}"
