"""The weather station beside the track: once a minute, slowly varying, dry."""

from __future__ import annotations

from typing import Any

import numpy as np

from conf.arrays import FloatArray
from producers.simulator.config import SimulatorConfig
from producers.simulator.rng import generator

_EVERY_US = 60_000_000
_SWING_MIN = 45.0  # period of the slow part
_STAYS = 0.9  # share of the unsteady part that is left a minute later


def weather_rows(settings: SimulatorConfig, start_us: int, end_us: int) -> list[dict[str, Any]]:
    """Measurements from the start to the end of a session.

    Air and track temperature vary around the session's, the cars' own sensors see its constant ones.

    Args:
        settings: The session.
        start_us: First measurement, true UTC.
        end_us: None comes after this.
    """
    rng = generator(settings.seed, 0, "weather")
    times = np.arange(start_us, end_us + 1, _EVERY_US)
    n = len(times)
    humid, pressure, wind, heading = rng.uniform([35.0, 992.0, 3.0, 0.0], [75.0, 1024.0, 16.0, 360.0])
    columns: dict[str, FloatArray] = {
        "air_temp_c": np.round(settings.ambient_temp_c + _wander(n, 0.4, 0.05, rng), 2),
        "track_temp_c": np.round(settings.track_temp_c + _wander(n, 1.2, 0.15, rng), 1),
        "humidity_pct": np.round(np.clip(humid + _wander(n, 2.0, 0.6, rng), 0.0, 100.0), 2),
        "pressure_mbar": np.round(pressure + _wander(n, 0.3, 0.03, rng), 1),
        "wind_speed_kmh": np.round(np.maximum(wind + _wander(n, 1.0, 2.0, rng), 0.0), 2),
        "wind_dir_deg": np.round(heading + _wander(n, 10.0, 20.0, rng)) % 360.0,
    }
    return [
        {
            "session_id": settings.session_id,
            "time_us": int(times[i]),
            **{name: float(values[i]) for name, values in columns.items()},
            "rain": False,
            "is_synthetic": True,
        }
        for i in range(n)
    ]


def _wander(n: int, swing: float, unsteady: float, rng: np.random.Generator) -> FloatArray:
    """A slow swing and a noise that remembers, one value a minute, shape (n,)."""
    phase = rng.uniform(0.0, 2.0 * np.pi)
    shocks = rng.normal(0.0, unsteady * np.sqrt(1.0 - _STAYS**2), n)
    noise, now = np.empty(n), rng.normal(0.0, unsteady)
    for i in range(n):
        now = _STAYS * now + shocks[i]
        noise[i] = now
    return np.asarray(swing * np.sin(phase + 2.0 * np.pi * np.arange(n) / _SWING_MIN) + noise)
