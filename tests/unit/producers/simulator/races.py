"""Races for the tests, each driven once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from producers.simulator.config import DataFaults, RaceIncidents, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import RaceEvent, race_events

START = datetime(2025, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
EVENTFUL = RaceIncidents(
    full_course_yellows=1,
    pit_stop_share=0.5,
    pit_stand_s=12.0,
    retirement_share=0.3,
    renumbered_share=0.4,
    track_limits_share=0.1,
    chequered_flag=True,
)
SHORT = {"n_cars": 5, "n_laps": 3, "track": "harbour-mile", "rate_hz": 25.0, "start_time": START}
LONG = SHORT | {"n_cars": 8, "n_laps": 6}
SEEDS = (1, 2)


@lru_cache(maxsize=8)
def quiet(seed: int) -> VehicleSimulator:
    """Three laps without faults or incidents."""
    return VehicleSimulator(SimulatorConfig(seed=seed, data_faults=DataFaults.none(), **SHORT))


@lru_cache(maxsize=8)
def eventful(seed: int) -> VehicleSimulator:
    """Six laps with incidents of every kind, without faults."""
    return VehicleSimulator(SimulatorConfig(seed=seed, data_faults=DataFaults.none(), race_incidents=EVENTFUL, **LONG))


def with_faults(simulator: VehicleSimulator, faults: DataFaults) -> VehicleSimulator:
    """The same drive with other faults, not driven again."""
    other = VehicleSimulator(simulator.settings.model_copy(update={"data_faults": faults}))
    other.__dict__.update(plan=simulator.plan, run=simulator.run)
    return other


def only(**faults: float) -> DataFaults:
    """No fault but these."""
    return DataFaults.none().model_copy(update=faults)


def kind_of(event: RaceEvent) -> str:
    return event.event_type.split(".")[1]


def rows(simulator: VehicleSimulator, kind: str) -> list[dict[str, Any]]:
    """Payloads of one kind in the order sent."""
    return [orjson.loads(event.payload) for event in race_events(simulator) if kind_of(event) == kind]


def by(field: str, payloads: Iterable[dict[str, Any]]) -> dict[Any, list[dict[str, Any]]]:
    """Payloads grouped by a field."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for payload in payloads:
        groups.setdefault(payload[field], []).append(payload)
    return groups
