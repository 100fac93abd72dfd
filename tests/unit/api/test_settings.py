"""The API's settings."""

import pytest

from zeppelin_api.settings import ApiSettings, load_settings
from zeppelin_pipeline.errors import ConfigurationError


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZEPPELIN_POSTGRES_URL", "postgresql://db.test/warehouse")
    monkeypatch.setenv("ZEPPELIN_API_PORT", "8080")
    monkeypatch.setenv("ZEPPELIN_API_DETACHED_QUOTES_HIDE", "true")

    settings = load_settings()

    assert settings.postgres_url == "postgresql://db.test/warehouse"
    assert (settings.port, settings.detached_quotes_hide, settings.third_party_blocks_hide) == (8080, True, False)


def test_a_missing_or_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ZEPPELIN_POSTGRES_URL", raising=False)
    monkeypatch.setenv("ZEPPELIN_API_PORT", "many")

    with pytest.raises(ConfigurationError, match=r"ZEPPELIN_POSTGRES_URL.*port"):
        load_settings()


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
