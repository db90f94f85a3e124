import io
import os
import signal
import socket
import time
from pathlib import Path

import mlflow
import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from conf.plain_console import PlainConsole
from conf.settings import AppConfig
from conf.topics import MAX_MESSAGE_BYTES
from infra import doctor
from infra.kafka import topics
from infra.local import ports, process, service, stack
from ml.model_in_use import is_model_in_use

pytestmark = pytest.mark.integration

TEN_MB, SIXTEEN_MIB = 10_000_000, 16 * 1024 * 1024


def produce(bootstrap: str, values: list[bytes], topic: str = "telemetry.raw") -> None:
    """Produce and wait for the broker's word on every message."""
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: object) -> None:
        if error is not None:
            failures.append(error)

    options = {"bootstrap.servers": bootstrap, "message.max.bytes": MAX_MESSAGE_BYTES, "acks": "all"}
    producer = Producer({**options, "topic.metadata.propagation.max.ms": 1000})
    for value in values:
        producer.produce(topic, value, key=b"s|v", on_delivery=delivered)
    assert producer.flush(60) == 0
    if failures:
        raise KafkaException(failures[0])


def consume(bootstrap: str, count: int, topic: str = "telemetry.raw") -> list[bytes]:
    """Every message of a topic from its beginning, at least ``count``."""
    options = {"bootstrap.servers": bootstrap, "group.id": f"t{time.time_ns()}", "auto.offset.reset": "earliest"}
    consumer = Consumer({**options, "enable.auto.commit": False})
    consumer.subscribe([topic])
    values: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            values.append(message.value() or b"")
    consumer.close()
    return values


def pid_of(settings: AppConfig, name: str) -> int:
    pid = next(each.pid for each in stack.stack_status(settings) if each.name == name)
    assert pid is not None
    return pid


def test_up_again_says_that_it_is_up(running: AppConfig) -> None:
    before = stack.stack_status(running)
    output = io.StringIO()
    stack.start_stack(running, console=PlainConsole(file=output, width=200))
    assert "kafka: already up at" in output.getvalue()
    assert "mlflow: already up at" in output.getvalue()
    assert stack.stack_status(running) == before
    assert [each.state for each in before] == ["up", "up"]


def test_a_message_of_16_mib_goes_through(running: AppConfig) -> None:
    bootstrap = stack.find_endpoints(running).bootstrap
    values = [os.urandom(TEN_MB), os.urandom(SIXTEEN_MIB)]
    produce(bootstrap, values, "race.raw")
    assert consume(bootstrap, 2, "race.raw") == values


def test_topics_have_their_partitions_and_are_not_made_by_accident(running: AppConfig) -> None:
    bootstrap = stack.find_endpoints(running).bootstrap
    found = topics.cluster_metadata(bootstrap)
    assert found is not None
    wanted = topics.partition_counts(running)
    assert {name: len(found.topics[name].partitions) for name in wanted} == wanted
    with pytest.raises(KafkaException, match=r"UNKNOWN_TOPIC|Unknown topic"):
        produce(bootstrap, [b"x"], "telemetry.rwa")


def test_everything_listens_on_loopback_only(running: AppConfig) -> None:
    services = [service.load_service(running, name) for name in stack.SERVICES]
    members = [member for each in services if each is not None for member in process.session_pids(each.process)]
    sockets = [connection for member in members for connection in member.net_connections()]
    listening = {each.laddr.ip.removeprefix("::ffff:") for each in sockets if each.status == psutil.CONN_LISTEN}
    assert listening == {ports.HOST}


def test_doctor_finds_all_well(running: AppConfig) -> None:
    found = {check.name: check for check in doctor.run_checks(running)}
    assert {name: check.detail for name, check in found.items() if check.outcome == "fail"} == {}
    assert found["Kafka"].outcome == found["MLflow"].outcome == found["jars"].outcome == "ok"


def test_a_run_is_logged_and_a_model_version_registered(running: AppConfig, tmp_path: Path) -> None:
    uri = stack.find_endpoints(running).tracking_uri
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("stack-test")
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "f1", 0.75)
    (tmp_path / "model.txt").write_text("weights")
    client.log_artifact(run.info.run_id, str(tmp_path / "model.txt"), "model")
    client.create_registered_model("driving-style")
    client.create_model_version("driving-style", f"runs:/{run.info.run_id}/model", run.info.run_id)
    assert not is_model_in_use(uri, "driving-style")
    client.set_registered_model_alias("driving-style", "production", "1")
    assert is_model_in_use(uri, "driving-style")
    assert not is_model_in_use(uri, "mechanical-karma")
    assert not is_model_in_use("http://127.0.0.1:1", "driving-style")

    found = client.get_model_version_by_alias("driving-style", "production")
    assert (found.version, found.run_id) in {("1", run.info.run_id), (1, run.info.run_id)}
    assert client.get_run(run.info.run_id).data.metrics == {"f1": 0.75}
    stored = list((running.home / "mlflow" / "artifacts").rglob("model.txt"))
    assert [path.read_text() for path in stored] == ["weights"]


def test_a_killed_broker_is_stale_and_comes_back_with_its_messages(running: AppConfig) -> None:
    bootstrap = stack.find_endpoints(running).bootstrap
    values = [f"before {number}".encode() for number in range(100)]
    produce(bootstrap, values, "timing.raw")
    os.kill(pid_of(running, "kafka"), signal.SIGKILL)
    time.sleep(0.5)
    assert [each.state for each in stack.stack_status(running)] == ["stale", "up"]
    assert stack.find_endpoints(running).bootstrap == bootstrap

    assert [each.state for each in stack.start_stack(running)] == ["up", "up"]
    produce(bootstrap, [b"after"], "timing.raw")
    assert consume(bootstrap, 101, "timing.raw") == [*values, b"after"]


def test_a_killed_mlflow_leaves_no_worker_behind_and_keeps_its_runs(running: AppConfig) -> None:
    client = mlflow.MlflowClient(tracking_uri=stack.find_endpoints(running).tracking_uri)
    experiment = client.create_experiment("kept")
    pid = pid_of(running, "mlflow")
    workers = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    assert stack.stack_status(running)[1].state == "stale"

    assert stack.start_stack(running)[1].state == "up"
    assert workers
    assert not any(worker.is_running() for worker in workers)
    found = client.get_experiment_by_name("kept")
    assert found is not None
    assert found.experiment_id == experiment


def test_a_taken_port_is_an_error_and_auto_port_goes_around_it(idle: AppConfig) -> None:
    with socket.create_server((ports.HOST, idle.kafka_port)):
        with pytest.raises(ports.PortTakenError, match=f"port {idle.kafka_port} is taken.*KAFKA_PORT.*--auto-port"):
            stack.start_stack(idle, services=["kafka"])
        assert stack.stack_status(idle)[0].state == "down"
        assert not (idle.home / "kafka").exists()
        stack.start_stack(idle, auto_port=True, services=["kafka"])
        bootstrap = stack.find_endpoints(idle).bootstrap
    assert bootstrap != idle.bootstrap
    produce(bootstrap, [b"first"])

    # Down and up again: the usual port is free now, and the data are the same.
    broker = psutil.Process(pid_of(idle, "kafka"))
    stack.stop_stack(idle)
    assert not broker.is_running()
    assert not ports.accepts_connections(int(bootstrap.rpartition(":")[2]))
    assert stack.find_endpoints(idle).bootstrap == idle.bootstrap
    stack.start_stack(idle, services=["kafka"])
    assert consume(idle.bootstrap, 1) == [b"first"]
