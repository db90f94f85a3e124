"""Messages as nobody should send them: those of a race, spoilt in every way that a program can think of."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -0.0, "", " ", "nan", "NaN", "1e400", "null",
    "[red]x[/]", "\u202egnp.exe", "\x1b[2J", "a\nb", "a\0b", "ä" * 300, "\ud800", "'; drop table silver.laps; --",
    "=1+1", "../../etc/passwd", "9999-12-31T23:59:59Z", "0001-01-01", [], [[]], [None], {}, {"a": {"a": {"a": []}}},
    ["x"] * 50, [1e400], [2**70],
)  # fmt: skip
ODD_HEADERS: tuple[Sequence[tuple[str, bytes | None]], ...] = (
    (),
    (("ce_type", b""),),
    (("ce_type", None),),
    (("ce_type", b"slipstream.frame.v99"),),
    (("ce_type", b"\xff\xfe"),),
    (("ce_type", b"slipstream.frame.v1"), ("ce_type", b"slipstream.reading.v1")),
    (("ce_type", b"slipstream.frame.v1\n"),),
    (("ce_source", b"x" * 4000), ("ce_type", b"slipstream.frame.v1")),
    (("ce_time", b"9999-12-31T23:59:59Z"), ("ce_type", b"slipstream.frame.v1")),
    (("ce_time", b"yesterday"), ("ce_type", b"slipstream.frame.v1")),
    (("ce_id", None), ("ce_type", b"slipstream.frame.v1")),
)


@dataclass(frozen=True)
class Message:
    """A message of Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def spoil_messages(good: Sequence[Message], n: int, seed: int) -> Iterator[Message]:
    """Messages that are good ones, spoilt.

    Args:
        good: Whole messages of all forms.
        n: How many to make.
        seed: Fixes what befalls which.
    """
    draw = random.Random(seed)
    for number in range(n):
        message = draw.choice(good)
        yield _WAYS[number % len(_WAYS)](message, draw)


def _with(message: Message, value: bytes | None) -> Message:
    return Message(message.topic, message.key, value, message.headers)


def _object(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.value or b"{}")
    return found


def _dumped(message: Message, found: Any) -> Message:
    return _with(message, json.dumps(found).encode("utf-8", "surrogatepass"))


def _odd_field(message: Message, draw: random.Random) -> Message:
    found = _object(message)
    found[draw.choice(list(found))] = draw.choice(ODD_VALUES)
    return _dumped(message, found)


def _odd_cell(message: Message, draw: random.Random) -> Message:
    found = _object(message)
    lists = [name for name, value in found.items() if isinstance(value, list) and value]
    if not lists:
        return _odd_field(message, draw)
    name = draw.choice(lists)
    found[name][draw.randrange(len(found[name]))] = draw.choice(ODD_VALUES)
    return _dumped(message, found)


def _uneven(message: Message, draw: random.Random) -> Message:
    found = _object(message)
    for name in [name for name, value in found.items() if isinstance(value, list)]:
        if draw.random() < 0.2:
            found[name] = found[name][: draw.randrange(len(found[name]) + 1)]
    return _dumped(message, found)


def _lost_fields(message: Message, draw: random.Random) -> Message:
    return _dumped(message, {name: value for name, value in _object(message).items() if draw.random() < 0.7})


def _far_time(message: Message, draw: random.Random) -> Message:
    found = _object(message)
    for name in found:
        if name.endswith(("_us", "_ms", "_ts")):
            found[name] = draw.choice((-(2**62), 0, 1, 253_402_300_800_000_000, 2**62, 1e30, "soon"))
    return _dumped(message, found)


def _cut(message: Message, draw: random.Random) -> Message:
    value = message.value or b""
    return _with(message, value[: draw.randrange(len(value) + 1)])


def _flipped(message: Message, draw: random.Random) -> Message:
    value = bytearray(message.value or b" ")
    for _ in range(draw.randint(1, 4)):
        # Not within the first bytes, so that the names of session and vehicle stay another's.
        value[draw.randrange(len(value) // 2, len(value))] ^= 1 << draw.randrange(8)
    return _with(message, bytes(value))


def _packed(message: Message, draw: random.Random) -> Message:
    value = message.value or b""
    text = value.decode("utf-8", "replace")
    ways = (
        lambda: value + value,
        lambda: value + b"\n" + value,
        lambda: b"[" + value + b"]",
        lambda: b"\xef\xbb\xbf" + value,
        lambda: text.encode("utf-16"),
        lambda: gzip.compress(value),
        lambda: b'{"a":' * 900 + b"1" + b"}" * 900,
        lambda: b"",
        lambda: None,
        lambda: bytes(draw.randrange(256) for _ in range(draw.randrange(200))),
        lambda: json.dumps(text).encode(),
        lambda: value.replace(b":", b": ", 3) + b" // said the car",
    )
    return _with(message, draw.choice(ways)())


def _odd_headers(message: Message, draw: random.Random) -> Message:
    return Message(
        message.topic, draw.choice((None, b"", b"\xff", b"x" * 1000)), message.value, draw.choice(ODD_HEADERS)
    )


def _elsewhere(message: Message, draw: random.Random) -> Message:
    topics = ("telemetry.raw", "timing.raw", "race.raw", "environment.raw")
    return Message(draw.choice(topics), message.key, message.value, message.headers)


_WAYS: tuple[Callable[[Message, random.Random], Message], ...] = (
    _odd_field,
    _odd_cell,
    _uneven,
    _lost_fields,
    _far_time,
    _cut,
    _flipped,
    _packed,
    _odd_headers,
    _elsewhere,
)


def whole_messages(records: Mapping[str, Sequence[tuple[bytes, bytes, str]]]) -> list[Message]:
    """Messages with the headers that producers give them.

    Args:
        records: Key, value and form of messages, by topic.
    """
    return [
        Message(topic, key, value, (("ce_type", form.encode()), ("ce_source", b"/hostile")))
        for topic, found in records.items()
        for key, value, form in found
    ]
