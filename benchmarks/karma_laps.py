"""Simulated laps with the truth about their wear, as three cars would tell them: for ``benchmarks.karma``.

``perfect``: every channel, 50 times a second, without noise: the oracle's. ``simulated``: with noise, 25 times a
second, as a simulated session sends them. ``race_car``: with noise, at the rates and with the channels of GR Cup cars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.thinning import features_of, thinned
from conf.track import load_track
from producers.simulator.cars.random_car_faults import RACING, draw_random_car_faults
from producers.simulator.config import CarFault, DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.wear_labels import wear_label_rows

VIEWS = ("perfect", "simulated", "race_car")
UNSENT = ("torque_nm", "engine_temp_c", "brake_temp_c", "engine_load_pct")
RATE_HZ = 50.0


def session(
    track: str,
    seed: int,
    cars: int,
    laps: int,
    car_faults: Sequence[CarFault] | None = None,
    views: Sequence[str] = VIEWS,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Laps of one session as each view has them, and what they did to the car: one row a lap.

    Args:
        track: Where.
        seed: Of everything random; also of the random car faults, if no car faults are given.
        cars: In the session.
        laps: That each drives.
        car_faults: What goes wrong with the cars.
        views: Which of them; all by default.
    """
    planted = (
        draw_random_car_faults(load_track(track).length_m, cars, laps, seed)
        if car_faults is None
        else tuple(car_faults)
    )
    options = {
        "session_id": f"{track}-{seed}",
        "track": track,
        "seed": seed,
        "n_cars": cars,
        "n_laps": laps,
        "rate_hz": RATE_HZ,
        "setups": "varied",
        "car_faults": planted,
        "profiles": RACING,
    }
    quiet, noisy = (
        VehicleSimulator(SimulatorConfig(data_faults=DataFaults.none().model_copy(update={"noise": noise}), **options))
        for noise in (0.0, 1.0)
    )
    rng = np.random.default_rng(seed)
    seen: dict[str, Callable[[], list[tuple[pl.DataFrame, pl.DataFrame]]]] = {
        "perfect": lambda: [(lap, lap) for lap in _laps(quiet)],
        "simulated": lambda: [(lap, lap.gather_every(2)) for lap in _laps(noisy)],
        "race_car": lambda: [(lap, _as_race_car(lap, rng)) for lap in _laps(noisy)],
    }
    frames = {name: pd.DataFrame([_row(track, seed, *lap) for lap in seen[name]()]) for name in views}
    return frames, _truth(noisy, track)


def _laps(simulator: VehicleSimulator) -> list[pl.DataFrame]:
    return simulator.to_polars().partition_by("vehicle_id", "lap_number", maintain_order=True)


def _as_race_car(lap: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    nothing = [pl.lit(np.nan).alias(name) for name in UNSENT if name in lap.columns]
    return thinned(lap, rng).with_columns(nothing)


def _row(track: str, seed: int, whole: pl.DataFrame, seen: pl.DataFrame) -> dict[str, object]:
    first = whole.row(0, named=True)
    return {
        **features_of(seen),
        "session_id": f"{track}-{seed}",
        "track_id": track,
        "vehicle_id": first["vehicle_id"],
        "lap_number": first["lap_number"],
        "driver_profile": first["driver_profile"],
        "is_synthetic": True,
        "lap_time_ms": (whole["t_us"][-1] - whole["t_us"][0]) // 1000,
        "lap_end_ts": pd.Timestamp(whole["t_us"][-1], unit="us"),
    }


def _truth(simulator: VehicleSimulator, track: str) -> pd.DataFrame:
    rows = pd.DataFrame([row for car in simulator.cars for row in wear_label_rows(simulator, car)])
    return rows[rows["is_complete"]].assign(track_id=track)
