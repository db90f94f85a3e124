"""Messages besides the cars' telemetry: timing, race control, weather, and the wear labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Any

import orjson

from conf.contract import load_contract
from producers.simulator.frames import Frame
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.official_timing import time_race
from producers.simulator.timing.standings import car_standings, line_crossings, result_lines
from producers.simulator.timing.timing_feed import feed_events
from producers.simulator.timing.timing_sheets import result_rows, sector_rows, standing_row
from producers.simulator.timing.weather import weather_rows
from producers.simulator.wear_labels import wear_label_rows

KINDS = ("lap_start", "lap_end", "lap_time", "sector_times", "field", "result", "weather")
"""What a race sends; each has a contract ``event.<kind>.v1``, which says its topic and type."""
TRUTH_KIND = "truth"
"""What is sent of wear, where it is asked for: labels, on a topic of their own."""

_PUBLISHED_US = 500_000  # after the crossing the official timing shows a lap
_PROVISIONAL_US, _OFFICIAL_US = 10_000_000, 30_000_000  # after the last car

_Notice = tuple[int, str, dict[str, Any]]


@dataclass(frozen=True)
class RaceEvent:
    """One message besides the frames.

    Attributes:
        topic: Kafka topic.
        key: ``session_id|vehicle_id``, with ``number-<n>`` where only the number is known; the session alone for the
            weather.
        payload: JSON object with the fields of the contract.
        event_type: ``ce_type``.
        event_id: ``ce_id``, ``<session_id>:race:<n>``, of the truth ``<session_id>:truth:<n>``.
        time_us: When it is sent, true UTC in microseconds, on the scale of :attr:`Frame.arrival_us`.
    """

    topic: str
    key: bytes
    payload: bytes
    event_type: str
    event_id: str
    time_us: int


def race_events(simulator: VehicleSimulator) -> Iterator[RaceEvent]:
    """Events of a race in the order in which they are sent.

    Args:
        simulator: A session of a number of laps.

    Raises:
        InputError: If the session has a set duration instead, or the track does not have three sectors.
    """
    return _events(simulator, _notices(simulator), "race")


def truth_events(simulator: VehicleSimulator) -> Iterator[RaceEvent]:
    """What each lap did to each component of each car, in order of time."""
    rows = (row for car in simulator.cars for row in wear_label_rows(simulator, car))
    return _events(simulator, ((row["time_us"], TRUTH_KIND, row) for row in rows), TRUTH_KIND)


def session_messages(simulator: VehicleSimulator, *, race: bool, truth: bool = False) -> Iterator[Frame | RaceEvent]:
    """Frames, and with ``race`` the race's events, with ``truth`` the labels among them, in order of arrival.

    A race or labels need the end: the session is then driven first.
    """
    if race or truth:
        simulator.drive_to_end()
    besides = [race_events(simulator)] if race else []
    besides += [truth_events(simulator)] if truth else []
    return merge(simulator.frames(), *besides, key=arrival_us)


def arrival_us(message: Frame | RaceEvent) -> int:
    """When a message arrives, true UTC in microseconds; a frame sent again says when it first did."""
    return message.arrival_us if isinstance(message, Frame) else message.time_us


def race_topics() -> tuple[str, ...]:
    """Topics that a race's events go to."""
    return tuple(sorted({load_contract(f"event.{kind}.v1").properties["topic"] for kind in KINDS}))


def truth_topic() -> str:
    """Topic that the truth goes to, and nothing else."""
    return load_contract(f"event.{TRUTH_KIND}.v1").properties["topic"]


def _events(simulator: VehicleSimulator, notices: Iterable[_Notice], numbered: str) -> Iterator[RaceEvent]:
    session = simulator.settings.session_id
    contracts = {kind: load_contract(f"event.{kind}.v1").properties for kind in (*KINDS, TRUTH_KIND)}
    for number, (time_us, kind, payload) in enumerate(sorted(notices, key=lambda notice: notice[0])):
        properties = contracts[kind]
        yield RaceEvent(
            properties["topic"],
            _key(session, payload),
            orjson.dumps(payload),
            properties["ce_type"],
            f"{session}:{numbered}:{number}",
            time_us,
        )


def _key(session: str, payload: dict[str, Any]) -> bytes:
    if "vehicle_id" not in payload:
        return session.encode()
    vehicle = payload["vehicle_id"] or f"number-{payload['vehicle_number']}"
    return f"{session}|{vehicle}".encode()


def _notices(simulator: VehicleSimulator) -> Iterator[_Notice]:
    """All events of a race: when sent, kind, payload; kind by kind."""
    timings = time_race(simulator)
    for car in simulator.cars:
        yield from ((time_us, kind, payload) for kind, time_us, payload in feed_events(simulator, car))
    table = line_crossings(timings)
    for timed in timings:
        states = (standing_row(simulator, timed, place) for place in car_standings(timed, table))
        for kind, rows in (("sector_times", sector_rows(simulator, timed)), ("field", states)):
            yield from ((row["time_us"] + _PUBLISHED_US, kind, row) for row in rows)
    last_us = max(lap.end_us for timed in timings for lap in timed.laps)
    lines = result_lines(timings)
    for is_official, after_us in ((False, _PROVISIONAL_US), (True, _OFFICIAL_US)):
        for row in result_rows(simulator, lines, is_official=is_official):
            yield last_us + after_us, "result", row
    for row in weather_rows(simulator.settings, simulator.start_us, last_us):
        yield row["time_us"], "weather", row
