"""What a car sends: frames of samples, as objects and as the JSON that goes to Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import orjson

from conf.arrays import FloatArray, IntArray

T = TypeVar("T")
Columns = dict[str, FloatArray | IntArray]

CHANNELS = (
    "lap_number",
    "speed_kmh",
    "throttle_pct",
    "brake_front_bar",
    "brake_rear_bar",
    "steering_deg",
    "gear",
    "rpm",
    "torque_nm",
    "engine_load_pct",
    "engine_temp_c",
    "brake_temp_c",
    "accel_long_g",
    "accel_lat_g",
    "lap_distance_m",
    "x_m",
    "y_m",
    "ambient_temp_c",
    "track_temp_c",
    "fuel_kg",
)
"""Channels of a frame besides the clock ``t_us``."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Samples that a car sent together.

    Attributes:
        vehicle_id: ``sim-<number>``.
        driver_profile: The label: how the driver is meant to drive.
        rate_hz: Samples per second.
        arrival_us: When the logger received the frame, true UTC in microseconds.
        columns: ``t_us`` (the car's own clock) and :data:`CHANNELS`, arrays of one length; NaN is a drop-out.
    """

    session_id: str
    vehicle_id: str
    vehicle_number: int
    driver_id: str
    track_id: str
    driver_profile: str
    rate_hz: float
    arrival_us: int
    columns: Columns

    def key(self) -> bytes:
        """Kafka key: one car of one session stays in order."""
        return f"{self.session_id}|{self.vehicle_id}".encode()

    def payload(self) -> bytes:
        """The frame as one JSON object, a drop-out as null."""
        head = {
            "session_id": self.session_id,
            "vehicle_id": self.vehicle_id,
            "vehicle_number": self.vehicle_number,
            "driver_id": self.driver_id,
            "track_id": self.track_id,
            "driver_profile": self.driver_profile,
            "is_synthetic": True,
            "rate_hz": self.rate_hz,
            "arrival_us": self.arrival_us,
        }
        return orjson.dumps(head | self.columns, option=orjson.OPT_SERIALIZE_NUMPY)


def pace_messages(messages: Iterable[T], speed: float, due_us: Callable[[T], int]) -> Iterator[T]:
    """Yield messages in real time: wait until each is due; the first is due at once.

    Args:
        messages: Messages in order of arrival.
        speed: Times faster than real time.
        due_us: When a message arrives, microseconds.
    """
    began = first = None
    for message in messages:
        due = due_us(message)
        if began is None or first is None:
            began, first = time.monotonic(), due
        wait = began + (due - first) / 1e6 / speed - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        yield message
