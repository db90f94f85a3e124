"""A broker that only speaks TLS to clients it knows by certificate and by password: topics, producers and bronze."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from conf.settings import AppConfig
from infra.kafka import topics
from infra.kafka.client_options import librdkafka_options
from infra.kafka.cluster import BrokerUnavailableError
from infra.local import broker, ports, process
from infra.local.jars import ensure_jars
from infra.local.java import find_java
from serving.lake.integrity import check_lake_files
from serving.lake.reader import LakeReader
from streaming.reset import check_topics_hold_all

pytestmark = pytest.mark.integration

USER, PASSWORD = "car-1", 'pa$s;"w\\ord'
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for loopback and its key, as PEM files; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ports.HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def command_lines(process: psutil.Process) -> str:
    """Those of a process and of all that it has started, Java among them."""
    found = ""
    with suppress(psutil.Error):  # one may end while it is looked at
        found = "".join(" ".join(each.cmdline()) for each in (process, *process.children(recursive=True)))
    return found


@dataclass(frozen=True)
class Secured:
    """A broker, and what a client of it sets."""

    folder: Path
    jars: Path
    environment: dict[str, str]

    def settings(self, **other: str) -> AppConfig:
        """Settings of a client."""
        own = {name.lower(): value for name, value in self.environment.items()}
        return AppConfig(slipstream_home=self.folder / "home", slipstream_jars=self.jars, _env_file=None, **own | other)

    def run(self, *module: str, **environment: str) -> str:
        """``python -m …`` to its end; returns what it said."""
        home = {"SLIPSTREAM_HOME": str(self.folder / "home"), "SLIPSTREAM_JARS": str(self.jars)}
        output = self.folder / "said"
        with output.open("w") as said:
            done = subprocess.Popen(
                [sys.executable, "-m", *module],
                env={**os.environ, **home, **self.environment, **environment},
                cwd=self.folder,
                stdout=said,
                stderr=said,
            )
            own = psutil.Process(done.pid)
            while done.poll() is None:
                assert PASSWORD not in command_lines(own)
                time.sleep(0.2)
        assert done.returncode == 0, output.read_text()
        assert PASSWORD not in output.read_text()
        return output.read_text()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    (server, server_key), (client, client_key) = (self_signed(folder, name) for name in ("broker", "client"))
    own_store, trusted = folder / "broker-store.pem", folder / "trusted.pem"
    own_store.write_text(server_key.read_text() + server.read_text())
    trusted.write_text(server.read_text() + client.read_text())  # the broker tries whether it would trust itself
    port = ports.choose_port("test", "a port", 23000 + os.getpid() % 1000, auto_port=True)
    controller = ports.choose_port("test", "a port", port + 1, auto_port=True)
    escaped = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
    properties = broker.server_properties(folder / "data", port, controller) | {
        "listeners": f"SASL_SSL://{ports.HOST}:{port},CONTROLLER://{ports.HOST}:{controller}",
        "advertised.listeners": f"SASL_SSL://{ports.HOST}:{port}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            f'{LOGIN} required username="{USER}" password="{escaped}" user_{USER}="{escaped}";'
        ),
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(own_store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(trusted),
    }
    config = folder / "server.properties"
    config.write_text("".join(f"{name}={text.replace(chr(92), chr(92) * 2)}\n" for name, text in properties.items()))
    settings = AppConfig(slipstream_home=folder / "home", slipstream_jars=jars_dir, _env_file=None)
    java = [str(find_java().executable), "-cp", ":".join(map(str, ensure_jars(settings).kafka))]
    scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    storage = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", str(config)]
    subprocess.run([*java, *storage, "--add-scram", scram], check=True, capture_output=True)
    started = process.spawn_process([*java, "-Xmx256m", "kafka.Kafka", str(config)], folder / "broker.log", folder)
    own = Secured(
        folder,
        jars_dir,
        {
            "KAFKA_BOOTSTRAP_SERVERS": f"{ports.HOST}:{port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CA": str(server),
            "KAFKA_SSL_CERTIFICATE": str(client),
            "KAFKA_SSL_KEY": str(client_key),
        },
    )
    client_settings = own.settings(kafka_sasl_mechanism="PLAIN")

    def answers() -> bool:
        try:
            topics.cluster_metadata(client_settings.bootstrap, librdkafka_options(client_settings), timeout_s=1.0)
        except BrokerUnavailableError:
            return False
        return True

    process.wait_until_ready("Kafka", started, answers, folder / "broker.log", 60.0)
    yield own
    process.stop_process(started)


def test_topics_producers_and_bronze_by_password_and_certificate(secured: Secured) -> None:
    """Topics by PLAIN, the rest by SCRAM, of which the producer is told in Java's names; no secret shows anywhere."""
    assert "created telemetry.raw" in secured.run("infra.kafka.topics", KAFKA_SASL_MECHANISM="PLAIN")
    simulate = ("slipstream.cli", "produce", "simulate", "--cars", "1", "--duration", "10")
    sentence = json.dumps(PASSWORD)  # quoted and escaped as JAAS has it
    login = f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{USER}" password={sentence};'
    config = json.dumps({"sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": login})
    assert "acknowledged" in secured.run(*simulate, KAFKA_CONFIG=config)
    conf = secured.folder / "spark"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text(
        f"spark.eventLog.enabled true\nspark.eventLog.dir {conf.as_uri()}\nspark.driver.memory 1g\n"
    )
    done = secured.run(
        "streaming.bronze",
        "--once",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        SPARK_CONF_DIR=str(conf),
        SPARK_DRIVER_MEMORY="1g",
    )
    stored = LakeReader(secured.settings()).frame("bronze.telemetry_events").height
    assert stored > 0
    assert "bronze: " in done
    until = time.monotonic() + 60
    while any(conf.rglob("*.inprogress")):  # Spark ends a little later than the job, and then renames its record
        assert time.monotonic() < until
        time.sleep(0.2)
    kept = (
        path for path in (secured.folder / "home").rglob("*") if "spark" not in path.parts
    )  # Spark clears its scratch
    written = [path for path in (*conf.rglob("*"), *kept) if path.is_file()]
    assert any(path.name.startswith("local-") or "events" in path.name for path in written)
    check_topics_hold_all(secured.settings(kafka_sasl_mechanism="PLAIN"))
    whole = [found.detail for found in check_lake_files(secured.settings(), deep=True)]
    assert not any("have none" in detail for detail in whole)
    secrets = (PASSWORD, "PRIVATE KEY", json.dumps(PASSWORD)[1:-1])
    shown = [path for path in written if any(secret.encode() in path.read_bytes() for secret in secrets)]
    assert shown == []


def test_a_wrong_password_is_said_at_once(secured: Secured) -> None:
    settings = secured.settings(kafka_sasl_mechanism="SCRAM-SHA-512", kafka_sasl_password="other")
    with pytest.raises(BrokerUnavailableError, match=r"do not accept each other.*uthentication failed"):
        topics.cluster_metadata(settings.bootstrap, librdkafka_options(settings), timeout_s=30.0)
