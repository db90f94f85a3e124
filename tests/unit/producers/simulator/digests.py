"""SHA-256 of all that `slipstream produce simulate` sends, in the order in which it is sent.

A message counts with its topic, source, key, value, type, id and due time. ``ce_time``, the time of sending, is the
only header left out: it is the wall clock's. Floats of the labels of wear are sent unrounded: nine digits count.

The last bit of ``exp``, ``sin`` and powers is the processor's: NumPy has its own for each instruction set. All else
that is sent is rounded, but a race is long enough, and a gear missed or a kerb is sharp enough, for that bit to show
among the digits sent. So digests of such sessions hold on processors that :func:`numerics` does not tell apart.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from typer.testing import CliRunner

_FLOAT = re.compile(rb"-?\d+\.\d+(?:[eE][+-]?\d+)?")


class _Recorder:
    """Stands for the Kafka client: takes down what would be sent."""

    def __init__(self, into: Any, topic: str, source: str, *, exact: bool) -> None:
        self._into, self._head, self._sent = into, f"{topic} {source}", 0
        self._rounds = topic == "truth.raw" and not exact

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def send(self, key: bytes, payload: bytes, event_type: str, event_id: str) -> None:
        value = _FLOAT.sub(lambda m: b"%.9g" % float(m[0]), payload) if self._rounds else payload
        for part in (self._head.encode(), key, value, event_type.encode(), event_id.encode()):
            self._into.update(len(part).to_bytes(8, "big") + part)
        self._sent += 1

    def poll(self) -> None:
        """Nothing to wait for."""

    def flush(self) -> Any:
        return SimpleNamespace(sent=self._sent, acknowledged=self._sent, elapsed_s=0.0)


def digest_of(options: Iterable[str], *, exact: bool = False) -> str:
    """Digest of what a simulation sends.

    Args:
        options: As on the command line.
        exact: Whether unrounded floats count to their last bit.

    Raises:
        AssertionError: If the command fails.
    """
    sending = importlib.import_module("producers.simulator.sending")
    cli = importlib.import_module("slipstream.cli")
    digest = sha256()

    def recorder(_bootstrap: str, topic: str, *, source: str, client_options: object) -> _Recorder:
        del client_options
        return _Recorder(digest, topic, source, exact=exact)

    def at_once(messages: Iterable[Any], _speed: float, due_us: Any) -> Iterator[Any]:
        for message in messages:
            digest.update(b"%d " % due_us(message))
            yield message

    with patch.object(sending, "KafkaStreamer", recorder), patch.object(sending, "pace_messages", at_once):
        argv = ["produce", "simulate", *options, "--speed", "1"]
        result = CliRunner().invoke(cli.app, argv, env={"SIM_RATE_HZ": "30", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert result.exit_code == 0, result.output
    return digest.hexdigest()


def numerics() -> str:
    """What tells processors and builds apart whose elementary functions differ in the last bit."""
    x = np.linspace(0.01, 3.0, 1_000)
    values = (np.exp(x), np.exp(-x), np.log(x), np.sin(x), np.cos(x), np.arctan2(x, x[::-1]), x**0.37, x ** x[::-1])
    return sha256(np.stack(values).tobytes()).hexdigest()[:16]
