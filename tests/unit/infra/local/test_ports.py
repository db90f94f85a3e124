import socket
from collections.abc import Iterator

import pytest

from infra.local import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_listened_port_is_not_free_and_answers(taken: int) -> None:
    assert not ports.is_port_free(taken)
    assert ports.accepts_connections(taken)


def test_a_port_is_free_again_after_its_server_closed() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((ports.HOST, port)):
            server.accept()[0].close()  # leaves a lingering connection behind
    assert ports.is_port_free(port)


def test_a_port_taken_on_all_addresses_is_not_free() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not ports.is_port_free(server.getsockname()[1])


def test_a_taken_port_is_a_clear_error(taken: int) -> None:
    with pytest.raises(ports.PortTakenError, match=f"kafka: port {taken} is taken.*KAFKA_PORT.*--auto-port"):
        ports.choose_port("kafka", "KAFKA_PORT", taken)


def test_auto_port_takes_the_next_free_one(taken: int) -> None:
    chosen = ports.choose_port("kafka", "KAFKA_PORT", taken, auto_port=True)
    assert chosen > taken
    assert ports.is_port_free(chosen)


def test_auto_port_leaves_out_promised_ones(taken: int) -> None:
    first = ports.choose_port("kafka", "KAFKA_PORT", taken, auto_port=True)
    assert ports.choose_port("mlflow", "MLFLOW_PORT", taken, auto_port=True, exclude={first}) > first


def test_a_promised_port_without_auto_port_is_an_error() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ports.PortTakenError, match="also the port of another service"):
        ports.choose_port("mlflow", "MLFLOW_PORT", port, exclude={port})


def test_the_last_port_taken_is_an_error_with_auto_port_too() -> None:
    with pytest.raises(ports.PortTakenError, match="no free port from 65535 upwards"):
        ports.choose_port("kafka", "KAFKA_PORT", 65535, auto_port=True, exclude={65535})
