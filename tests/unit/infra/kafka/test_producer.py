from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from infra.kafka.cluster import BrokerUnavailableError
from infra.kafka.producer import KafkaStreamer


def test_no_broker_is_a_clear_error_within_its_time():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and nobody else can begin to
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(
            BrokerUnavailableError, match=f"no Kafka broker answers at {address} within 2 s.*slipstream up"
        ):
            KafkaStreamer(address, source="/test", connect_timeout_s=2.0).__enter__()
        assert time.monotonic() - begun < 6


def test_sending_before_connecting_is_a_clear_error():
    with pytest.raises(RuntimeError, match="inside its with block"):
        KafkaStreamer("127.0.0.1:1", source="/test").send(b"k", b"v", "t", "0")


def test_what_the_client_reports_is_silent_until_a_program_logs():
    """Python shows warnings of a logger that nobody has set up; the client warns of each attempt to connect."""
    lines = (
        "from infra.kafka.cluster import BrokerUnavailableError",
        "from infra.kafka.producer import KafkaStreamer",
        "try: KafkaStreamer('127.0.0.1:1', source='/test', connect_timeout_s=0.5).__enter__()",
        "except BrokerUnavailableError: print('nobody there')",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("nobody there\n", "")
