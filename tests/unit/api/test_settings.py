"""The API's settings."""

import pytest

from zeppelin_api.__main__ import main
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.errors import ConfigurationError


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZEPPELIN_POSTGRES_URL", "postgresql://db.test/warehouse")
    monkeypatch.setenv("ZEPPELIN_API_PORT", "8080")
    monkeypatch.setenv("ZEPPELIN_API_DETACHED_QUOTES_HIDE", "true")

    settings = ApiSettings.load()

    assert settings.postgres_url == "postgresql://db.test/warehouse"
    assert (settings.port, settings.detached_quotes_hide, settings.third_party_blocks_hide) == (8080, True, False)


def test_a_missing_or_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ZEPPELIN_POSTGRES_URL", raising=False)
    monkeypatch.setenv("ZEPPELIN_API_PORT", "many")

    with pytest.raises(ConfigurationError, match=r"ZEPPELIN_POSTGRES_URL.*ZEPPELIN_API_PORT"):
        ApiSettings.load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZEPPELIN_POSTGRES_URL", ""),
        ("ZEPPELIN_API_TRUSTED_VERIFIERS", "did:web:not-json.test"),
        ("ZEPPELIN_API_LABELERS", "not-a-did"),
        ("ZEPPELIN_API_IMAGE_URL_PATTERN", "https://cdn.test/{size}/{cid}"),
    ],
)
def test_a_program_told_a_bad_setting_ends_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
):
    monkeypatch.setenv("ZEPPELIN_POSTGRES_URL", "postgresql://db.test/warehouse")
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("sys.argv", ["zeppelin_api"])

    with pytest.raises(SystemExit, match="2"):
        main()

    assert f"error: {variable}: " in capsys.readouterr().err


def test_every_setting_says_what_it_is_for():
    assert [variable for variable, _, meaning in ApiSettings.describe() if not meaning.endswith(".")] == []


@pytest.mark.parametrize(
    ("did", "endpoint"),
    [
        ("did:web:api.test", "https://api.test"),
        ("did:web:localhost%3A3000", "http://localhost:3000"),
        ("did:web:api.test%3A8443", "https://api.test:8443"),
        ("did:web:api.test:path", None),
        ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", None),
    ],
)
def test_only_a_did_web_of_a_host_names_an_endpoint(did: str, endpoint: str | None):
    assert ApiSettings(postgres_url="postgresql://db.test/warehouse", did=did).service_endpoint == endpoint
