import io
import os
import re
from pathlib import Path

import pytest

from conf.plain_console import PlainConsole
from conf.settings import AppConfig
from infra import doctor
from infra.kafka import topics
from infra.local import broker, ports, process, service, stack
from infra.local.process import Process
from infra.local.service import Service


def remember(settings: AppConfig, name: str, address: str, at: Process) -> Service:
    found = Service(name, address, {"broker": int(address.rpartition(":")[2])}, at, service.log_path(settings, name))
    service.save_service(settings, found)
    return found


def test_a_fresh_home_is_down_and_has_the_default_endpoints(home: AppConfig) -> None:
    assert [(each.name, each.state, each.pid) for each in stack.stack_status(home)] == [
        ("kafka", "down", None),
        ("mlflow", "down", None),
    ]
    assert stack.find_endpoints(home) == stack.Endpoints("127.0.0.1:9092", "http://127.0.0.1:5000")


def test_a_record_survives_the_round_trip(home: AppConfig) -> None:
    saved = remember(home, "kafka", "127.0.0.1:19999", Process(4_000_000, "17"))
    assert service.load_service(home, "kafka") == saved


def test_recorded_ports_go_before_defaults_and_explicit_ones_before_both(home: AppConfig) -> None:
    remember(home, "kafka", "127.0.0.1:19999", Process(4_000_000, "17"))
    assert stack.find_endpoints(home).bootstrap == "127.0.0.1:19999"
    explicit = home.model_copy(update={"kafka_bootstrap_servers": "broker.example:9094"})
    assert stack.find_endpoints(explicit).bootstrap == "broker.example:9094"


def test_a_service_whose_process_is_gone_is_stale_and_says_so(home: AppConfig) -> None:
    remember(home, "kafka", "127.0.0.1:19999", Process(4_000_000, "17"))
    kafka = stack.stack_status(home)[0]
    assert (kafka.state, kafka.pid) == ("stale", 4_000_000)
    output = io.StringIO()
    stack.print_status(stack.stack_status(home), PlainConsole(file=output, width=100))
    assert "kafka was started and is not running any more" in output.getvalue()


def test_a_live_process_that_holds_no_port_is_not_up(home: AppConfig) -> None:
    start = process.process_start_time(os.getpid())
    assert start is not None
    remember(home, "kafka", "127.0.0.1:19999", Process(os.getpid(), start))
    assert stack.stack_status(home)[0].state == "stale"


def test_down_forgets_a_stale_service(home: AppConfig) -> None:
    remember(home, "kafka", "127.0.0.1:19999", Process(4_000_000, "17"))
    output = io.StringIO()
    stack.stop_stack(home, console=PlainConsole(file=output))
    assert "kafka: was not running" in output.getvalue()
    assert stack.stack_status(home)[0].state == "down"


def test_an_unknown_service_is_refused(home: AppConfig) -> None:
    with pytest.raises(ValueError, match="unknown service zookeeper; known are kafka, mlflow"):
        stack.start_stack(home, services=["zookeeper"])


def test_a_damaged_record_names_the_file(home: AppConfig) -> None:
    path = service.record_path(home, "kafka")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(ValueError, match=re.escape(f"{path} is not valid JSON")):
        stack.stack_status(home)


@pytest.mark.parametrize(
    ("bootstrap", "expected"),
    [
        (None, ["kafka", "mlflow"]),
        ("localhost:9092", ["kafka", "mlflow"]),
        ("127.0.0.1:9092", ["kafka", "mlflow"]),
        ("127.0.0.1:9999", ["mlflow"]),
        ("kafka.example:9092", ["mlflow"]),
    ],
)
def test_only_services_that_are_not_elsewhere_are_local(
    home: AppConfig, bootstrap: str | None, expected: list[str]
) -> None:
    assert stack.local_services(home.model_copy(update={"kafka_bootstrap_servers": bootstrap})) == expected


def test_ports_are_never_promised_twice(home: AppConfig) -> None:
    same = home.model_copy(update={"kafka_port": 24567, "kafka_controller_port": 24567, "mlflow_port": 24567})
    chosen = stack._choose_ports(same, stack.SERVICES, auto_port=True)
    several = [port for each in chosen.values() for port in each]
    assert len(set(several)) == 3
    with pytest.raises(ports.PortTakenError, match="KAFKA_CONTROLLER_PORT=24567 is also the port"):
        stack._choose_ports(same, stack.SERVICES, auto_port=False)


def test_the_broker_listens_on_loopback_only_and_takes_16_mib(tmp_path: Path) -> None:
    properties = broker.server_properties(tmp_path, 19092, 19093)
    hosts = re.findall(r"//([^:]+):", properties["listeners"] + properties["advertised.listeners"])
    assert set(hosts) == {"127.0.0.1"}
    assert int(properties["message.max.bytes"]) > 16 * 1024 * 1024
    assert properties["message.max.bytes"] == properties["replica.fetch.max.bytes"]
    assert properties["auto.create.topics.enable"] == "false"


def test_topics_follow_the_settings(home: AppConfig) -> None:
    assert topics.partition_counts(home.model_copy(update={"kafka_partitions": 12})) == {
        "telemetry.raw": 12,
        "timing.raw": 1,
        "race.raw": 1,
        "environment.raw": 1,
        "truth.raw": 1,
        "telemetry.dlq": 1,
    }


def test_cluster_ids_are_fit_for_a_command_line() -> None:
    ids = {broker._new_cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", each) for each in ids)


def test_pinned_versions_are_those_of_the_project() -> None:
    pyproject = (Path(doctor.__file__).parents[1] / "pyproject.toml").read_text()
    assert all(f'"{name}=={wanted}"' in pyproject for name, (wanted, _) in doctor.PINNED.items())


def by_name(settings: AppConfig) -> dict[str, doctor.Finding]:
    return {check.name: check for check in doctor.run_checks(settings)}


def test_doctor_of_a_fresh_home_warns_with_remedies(home: AppConfig, tmp_path: Path) -> None:
    fresh = home.model_copy(update={"slipstream_jars": tmp_path / "none", "kafka_port": 24701, "mlflow_port": 24702})
    found = by_name(fresh)
    assert (found["jars"].outcome, found["Kafka"].outcome, found["MLflow"].outcome) == ("warn", "warn", "warn")
    assert all("slipstream up" in found[name].remedy for name in ("jars", "Kafka", "MLflow"))
    assert found["Python"].outcome == found["lake"].outcome == "ok"
    assert not fresh.home.exists(), "looking must not create anything"


def test_doctor_fails_where_a_configured_server_does_not_answer(home: AppConfig) -> None:
    configured = home.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:24703"})
    check = by_name(configured)["MLflow"]
    assert (check.outcome, check.remedy) == ("fail", "Start it, or correct MLFLOW_TRACKING_URI.")


def test_doctor_finds_a_lake_that_cannot_be_written(home: AppConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    check = by_name(home.model_copy(update={"slipstream_home": tmp_path / "file"}))["lake"]
    assert check.outcome == "fail"


def test_doctor_prints_findings_and_remedies(home: AppConfig) -> None:
    output = io.StringIO()
    found = [doctor.Finding("Java", "fail", "none [found]", "Install Java 17."), doctor.Finding("disk", "ok", "9 GiB")]
    doctor.print_checks(found, PlainConsole(file=output, width=100))
    assert "none [found]" in output.getvalue()
    assert output.getvalue().endswith("Java: Install Java 17.\n")
