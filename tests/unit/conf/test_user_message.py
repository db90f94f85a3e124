"""Which errors a user can mend, and how they are told."""

from __future__ import annotations

import pytest

from conf.contract import ContractError, load_contract
from conf.failures import user_message
from infra.kafka.cluster import BrokerUnavailableError
from infra.local.java import JavaMissingError


def caught(action) -> BaseException:
    try:
        action()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("kind", [ContractError, JavaMissingError, BrokerUnavailableError])
def test_our_own_errors_are_told_as_they_are(kind):
    assert user_message(kind("what and how")) == "what and how"


def test_notes_are_told_too():
    error = JavaMissingError("first")
    error.add_note("second")
    assert user_message(error) == "first\nsecond"


def test_a_value_error_is_a_fault_unless_it_is_ours_to_raise():
    from conf.lake import table_uri

    assert "layer.table" in str(user_message(caught(lambda: table_uri("nonsense"))))
    assert user_message(caught(lambda: load_contract("nothing"))) is not None
    assert user_message(caught(lambda: int("x"))) is None
    assert user_message(caught(lambda: dict(zip("ab", "c", strict=True)))) is None


def test_a_model_of_ours_that_is_filled_wrongly_is_a_fault():
    from conf.laps import LapReason

    assert user_message(caught(lambda: LapReason(colour="red"))) is None


@pytest.mark.parametrize(
    ("module", "extra"), [("deltalake", "query"), ("pyspark.sql", "spark"), ("mlflow", "ml"), ("nothing_of_ours", None)]
)
def test_a_missing_extra_is_named(module, extra):
    message = user_message(ModuleNotFoundError(f"No module named '{module}'", name=module))
    assert message == (
        f"{module.split('.')[0]} is not installed: pip install 'slipstream-lake[{extra}]'" if extra else None
    )


def test_a_file_error_names_the_file(tmp_path):
    missing = tmp_path / "missing.csv"
    assert user_message(caught(missing.read_text)) == f"{missing}: No such file or directory"


def test_a_closed_pipe_is_no_user_error():
    assert user_message(BrokenPipeError(32, "Broken pipe")) is None


def test_a_kafka_error_is_told_in_words():
    from confluent_kafka import KafkaError, KafkaException

    assert str(user_message(KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)))).startswith("Kafka: ")


def test_secrets_are_not_told(monkeypatch, tmp_path):
    from conf.settings import get_settings

    monkeypatch.setenv("KAFKA_PORT", "secret-in-the-wrong-place")
    monkeypatch.chdir(tmp_path)
    message = user_message(caught(get_settings))
    assert "kafka_port" in str(message)
    assert "secret" not in str(message)


@pytest.mark.parametrize(("given", "said"), [("not JSON: hush", "is not JSON"), ('["hush"]', "not an object")])
def test_client_options_that_are_none_are_one_line(monkeypatch, tmp_path, given: str, said: str):
    from conf.settings import get_settings

    monkeypatch.setenv("KAFKA_CONFIG", given)
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    message = str(user_message(caught(get_settings)))
    assert "kafka_config" in message
    assert said in message
    assert "hush" not in message
    monkeypatch.setenv("KAFKA_CONFIG", '{"security.protocol": "SSL"}')
    assert get_settings().kafka_config == {"security.protocol": "SSL"}
    get_settings.cache_clear()
