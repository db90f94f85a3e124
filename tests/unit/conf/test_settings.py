"""Settings as people write them into the environment and into .env."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import InputError
from conf.settings import AppConfig, get_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.parametrize("blank", ["", "  "])
def test_what_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, blank: str):
    for field in AppConfig.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    unset = AppConfig(_env_file=None)
    for field in AppConfig.model_fields:
        monkeypatch.setenv(field.upper(), blank)
    assert AppConfig(_env_file=None) == unset


def test_nothing_in_the_environment_takes_the_place_of_something_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".env").write_text("KAFKA_BOOTSTRAP_SERVERS=far:9092\nKAFKA_PARTITIONS=7\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "")
    assert (get_settings().kafka_bootstrap_servers, get_settings().kafka_partitions) == (None, 7)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_one_line(tmp_path: Path, encoding: str):
    (tmp_path / ".env").write_text("KAFKA_SASL_PASSWORD=hüsh\n", encoding=encoding)
    with pytest.raises(InputError, match=r"\.env is not UTF-8: save it so") as refused:
        get_settings()
    assert "sh" not in str(refused.value).rpartition(".env")[2].replace("PowerShell", "")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("SLIPSTREAM_HOME", "~nobody-of-this-name/home", "slipstream_home: there is no user ~nobody-of-this-name here"),
        ("KAFKA_CONFIG", "[" * 100_000, "kafka_config: is not what it should be, but brackets within brackets"),
    ],
)
def test_what_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, given: str, said: str):
    monkeypatch.setenv(name, given)
    with pytest.raises(InputError, match=said):
        get_settings()
