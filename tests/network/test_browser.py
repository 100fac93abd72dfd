"""A browser shows posts, profiles and threads from our API without an error: components of npm, and our own pages."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.network.node import run_node
from tests.network.official import SETUP_SECONDS

pytestmark = [pytest.mark.network, pytest.mark.timeout(SETUP_SECONDS)]

BROWSER_SECONDS = 180
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def test_components_and_pages_show_what_our_api_answers(api_url: str, expected: dict[str, Any], tmp_path: Path):
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    assert browser, "a browser is missing: install one (Debian: apt-get install chromium)"
    document = tmp_path / "expected.json"
    document.write_text(json.dumps(expected), encoding="utf-8")
    run_node(
        "--test",
        "browser.test.mjs",
        timeout_seconds=BROWSER_SECONDS,
        ZEPPELIN_API_URL=api_url,
        ZEPPELIN_EXPECTED=str(document),
        ZEPPELIN_SCREENSHOTS=str(tmp_path),
        CHROMIUM=browser,
    )
    for name in ("posts", "profiles", "comments", "status", "reader-profile", "reader-thread"):
        assert (tmp_path / f"{name}.png").stat().st_size > 0
