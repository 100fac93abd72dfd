"""The settings: what the environment may say, and what is refused."""

from pathlib import Path

import pytest

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _, _ in Settings.describe():
        monkeypatch.delenv(variable, raising=False)


def test_defaults_are_for_the_real_network_and_refuse_private_hosts() -> None:
    settings = Settings.load()
    assert settings.plc_url == "https://plc.directory"
    assert settings.relay_urls == ("https://bsky.network",)
    assert not settings.allow_private_hosts
    assert settings.max_in_flight == 50
    assert settings.postgres_url is None


def test_the_home_is_absolute_and_the_lake_is_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(home=Path("here"))
    assert settings.home == tmp_path / "here"
    assert settings.lake_url == str(tmp_path / "here" / "lake")


def test_lists_are_split_at_commas_and_empty_variables_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEPPELIN_HOSTS", " pds.one.test, pds.two.test:2583 ,")
    monkeypatch.setenv("ZEPPELIN_RELAY_URLS", "https://a.test/,wss://b.test")
    monkeypatch.setenv("ZEPPELIN_POSTGRES_URL", "")
    settings = Settings.load()
    assert settings.hosts == ("pds.one.test", "pds.two.test:2583")
    assert settings.relay_urls == ("https://a.test", "wss://b.test")
    assert settings.postgres_url is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZEPPELIN_MAX_IN_FLIGHT", "0"),
        ("ZEPPELIN_MAX_IN_FLIGHT", "many"),
        ("ZEPPELIN_TOLERATE_FAILED", "1.5"),
        ("ZEPPELIN_API_PORT", "65536"),
        ("ZEPPELIN_PLC_URL", "plc.directory"),
        ("ZEPPELIN_PLC_URL", "https://"),
        ("ZEPPELIN_RELAY_URLS", "https://a.test,ftp://b.test"),
        ("ZEPPELIN_POSTGRES_URL", "mysql://localhost/zeppelin"),
        ("ZEPPELIN_LAKE_OPTIONS", "{not JSON"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{variable}: "):
        Settings.load()


def test_a_refused_url_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEPPELIN_POSTGRES_URL", "mysql://me:secret@localhost/zeppelin")
    with pytest.raises(ConfigurationError) as refused:
        Settings.load()
    assert "secret" not in str(refused.value)


def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parent = Settings.load(
        home=tmp_path, hosts=("a.test", "b.test:1"), allow_private_hosts=True, postgres_port=5432, tolerate_failed=0.25
    )
    for variable, value in parent.environment().items():
        monkeypatch.setenv(variable, value)
    assert Settings.load() == parent


def test_every_setting_says_what_it_is_for() -> None:
    described = Settings.describe()
    assert len(described) == len(Settings.model_fields)
    assert all(variable.startswith("ZEPPELIN_") and meaning.endswith(".") for variable, _, meaning in described)


def test_the_warehouse_is_asked_for_by_name_when_it_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="ZEPPELIN_POSTGRES_URL is not set"):
        Settings.load().require_postgres_url()
    assert Settings.load(postgres_url="postgresql://x/y").require_postgres_url() == "postgresql://x/y"
