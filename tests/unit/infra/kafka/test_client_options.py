"""One set of settings, two clients: what each is told about security."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from conf.errors import InputError
from conf.settings import AppConfig
from infra.kafka.client_options import java_options, librdkafka_options, read_security
from infra.kafka.producer import KafkaStreamer
from infra.kafka.topics import cluster_metadata

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
OURS = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "car",
    "kafka_sasl_password": "secret",
}
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def configured(**given: Any) -> AppConfig:
    return AppConfig(_env_file=None, **given)


def test_nothing_set_is_nothing_said() -> None:
    assert librdkafka_options(configured()) == java_options(configured()) == {}


def test_settings_of_ours_in_the_names_of_each_client(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(PEM)
    settings = configured(**OURS, kafka_ssl_ca=ca)
    assert librdkafka_options(settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "car",
        "sasl.password": "secret",
        "ssl.ca.pem": PEM,
    }
    assert java_options(settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f'{SCRAM} required username="car" password="secret";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": PEM,
    }


@pytest.mark.parametrize(
    "config",
    [
        {"sasl.username": "car", "sasl.password": "secret"},
        {"sasl.jaas.config": f"{SCRAM} required username='car' password=secret;"},
        {"sasl.jaas.config": f'{SCRAM} required username="x" password="y";', "sasl.username": "car"}
        | {"sasl.password": "secret"},
    ],
)
@pytest.mark.parametrize("mechanism", ["sasl.mechanism", "sasl.mechanisms"])
def test_kafka_config_in_either_clients_names_serves_both(config: dict[str, str], mechanism: str) -> None:
    names = {"security.protocol": "SASL_SSL", mechanism: "SCRAM-SHA-512", "linger.ms": 5, "client.id": "pit-wall"}
    settings = configured(kafka_config=json.dumps({**names, **config}))
    common = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"} | {
        "linger.ms": "5",
        "client.id": "pit-wall",
    }
    assert librdkafka_options(settings) == {**common, "sasl.username": "car", "sasl.password": "secret"}
    assert java_options(settings) == {
        **common,
        "sasl.jaas.config": f'{SCRAM} required username="car" password="secret";',
    }


def test_settings_of_ours_win(tmp_path: Path) -> None:
    ca, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    ca.write_text(PEM)
    other.write_text(PEM.replace("AAAA", "BBBB"))
    config = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "other",
        "sasl.password": "other",
        "ssl.ca.location": str(other),
        "ssl.truststore.location": "/nowhere/store.jks",
        "ssl.truststore.password": "other",
    }
    settings = configured(**OURS, kafka_ssl_ca=ca, kafka_config=config)
    alone = configured(**OURS, kafka_ssl_ca=ca)
    assert librdkafka_options(settings) == librdkafka_options(alone)
    assert java_options(settings) == java_options(alone)


def test_a_certificate_of_the_clients_own_by_files_text_or_one_store(tmp_path: Path) -> None:
    certificate, key, both = tmp_path / "c.pem", tmp_path / "k.pem", tmp_path / "both.pem"
    certificate.write_text(PEM)
    key.write_text(KEY)
    both.write_text(KEY + PEM)
    ours = configured(kafka_security_protocol="ssl", kafka_ssl_certificate=certificate, kafka_ssl_key=key)
    librdkafka = {"security.protocol": "SSL", "ssl.certificate.location": str(certificate)}
    librdkafka["ssl.key.location"] = str(key)
    java = {"security.protocol": "SSL", "ssl.keystore.certificate.chain": PEM, "ssl.keystore.key": KEY}
    for settings in (ours, configured(kafka_config=librdkafka), configured(kafka_config=java)):
        options = librdkafka_options(settings)
        assert (options["ssl.certificate.pem"], options["ssl.key.pem"]) == (PEM, KEY)
        assert java_options(settings)["ssl.keystore.key"] == KEY
        assert java_options(settings)["ssl.keystore.type"] == "PEM"
        assert not any("location" in name for name in options)
    stored = configured(kafka_config={"ssl.keystore.type": "PEM", "ssl.keystore.location": str(both)})
    assert librdkafka_options(stored)["ssl.key.pem"] == KEY + PEM
    assert "ssl.keystore.location" not in java_options(stored)


def test_whether_the_host_is_checked_is_said_in_each_clients_words() -> None:
    for said in ("none", ""):
        settings = configured(kafka_config={"ssl.endpoint.identification.algorithm": said})
        assert librdkafka_options(settings) == {"ssl.endpoint.identification.algorithm": "none"}
        assert java_options(settings) == {"ssl.endpoint.identification.algorithm": ""}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kafka_sasl_username": "car"}, "KAFKA_SASL_PASSWORD is not set"),
        ({**OURS, "kafka_sasl_mechanism": None}, "KAFKA_SASL_MECHANISM is not set"),
        ({**OURS, "kafka_security_protocol": "SSL"}, "KAFKA_SECURITY_PROTOCOL is SSL; .*SASL_SSL"),
        ({"kafka_security_protocol": "sasl_ssl"}, "KAFKA_SASL_MECHANISM is not set"),
        ({"kafka_config": {"sasl.mechanism": "PLAIN"}}, "PLAIN needs a user: set KAFKA_SASL_USERNAME"),
        ({"kafka_ssl_ca": "/nowhere/ca.pem"}, "KAFKA_SSL_CA: /nowhere/ca.pem cannot be read: No such file"),
        ({"kafka_ssl_ca": "/"}, "KAFKA_SSL_CA: / is a folder"),
        ({"kafka_ssl_ca": "/etc/passwd"}, "is not a PEM file"),
        ({"kafka_config": {"ssl.keystore.key": KEY}}, "KAFKA_SSL_CERTIFICATE is not set"),
        ({"kafka_config": {"sasl.jaas.config": f"{SCRAM} required;"}}, "sasl.jaas.config has no username"),
    ],
)
def test_what_is_not_enough_names_the_setting(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_security(configured(**given))


def test_names_of_protocols_and_mechanisms_are_taken_in_any_case() -> None:
    config = {
        "security.protocol": " sasl_ssl",
        "sasl.mechanism": "scram-sha-512",
        "sasl.username": "car",
        "sasl.password": "secret",
    }
    ours = configured(**{name: given.lower() for name, given in OURS.items()})
    assert librdkafka_options(configured(kafka_config=config)) == librdkafka_options(ours)
    assert java_options(configured(kafka_config=config)) == java_options(ours)


def test_what_only_one_client_can_is_said_where_the_other_is_asked() -> None:
    jks = configured(kafka_config={"ssl.truststore.location": "/etc/trust.jks", "ssl.truststore.password": "secret"})
    assert java_options(jks)["ssl.truststore.location"] == "/etc/trust.jks"
    with pytest.raises(InputError, match=r"ssl.truststore.location is a store of Java's.*set KAFKA_SSL_CA"):
        librdkafka_options(jks)
    for no in ("false", '"False"', "0"):
        blind = configured(kafka_config=f'{{"enable.ssl.certificate.verification": {no}}}')
        assert librdkafka_options(blind) == {"enable.ssl.certificate.verification": no.strip('"')}
        with pytest.raises(InputError, match="set KAFKA_SSL_CA"):
            java_options(blind)


@pytest.mark.parametrize("config", [{"no.such.option": "x"}, {"linger.ms": "soon"}, {"stats_cb": "x"}])
def test_an_option_that_is_none_of_the_client_s_is_one_line(config: dict[str, str]) -> None:
    options = librdkafka_options(configured(kafka_config=config))
    with pytest.raises(InputError, match="KAFKA_CONFIG, or another setting of Kafka's"):
        cluster_metadata("127.0.0.1:1", options)
    with (
        pytest.raises(InputError, match="KAFKA_CONFIG"),
        KafkaStreamer("127.0.0.1:1", source="/x", client_options=options),
    ):
        pass


def test_a_login_that_is_neither_stays_java_s_own() -> None:
    sentence = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true;"
    config = {"security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI", "sasl.kerberos.service.name": "kafka"}
    settings = configured(kafka_config={**config, "sasl.jaas.config": sentence})
    assert librdkafka_options(settings) == config
    assert java_options(settings) == {**config, "sasl.jaas.config": sentence}


def test_librdkafka_takes_what_it_is_given() -> None:
    java_only = {"default.api.timeout.ms": "9000", "max.poll.records": "7", "ssl.enabled.protocols": "TLSv1.3"}
    renamed = {"max.request.size": "1000000", "fetch.max.wait.ms": "10"}
    settings = configured(**OURS, kafka_config={**java_only, **renamed, "auto.offset.reset": "latest"})
    options = librdkafka_options(settings)
    AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, **options})  # refuses a name that it does not know
    assert java_options(settings).items() >= {**java_only, **renamed}.items()
    assert "auto.offset.reset" not in java_options(settings)  # Spark's own to set


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(str.strip), st.text().filter(str.strip))
def test_any_user_and_password_survive_the_jaas_sentence(user: str, password: str) -> None:
    settings = configured(**(OURS | {"kafka_sasl_username": user, "kafka_sasl_password": password}))
    sentence = java_options(settings)["sasl.jaas.config"]
    assert "\n" not in sentence
    again = configured(kafka_config={**java_options(settings), "sasl.jaas.config": sentence})
    assert (read_security(again).username, read_security(again).password) == (user, password)


def test_no_secret_in_what_is_shown(tmp_path: Path) -> None:
    settings = configured(**OURS, kafka_ssl_key_password="hidden", kafka_config={"sasl.password": "hidden"})
    shown = repr(settings) + str(settings) + repr(read_security(configured(**OURS)))
    assert "secret" not in shown
    assert "hidden" not in shown
