"""Laps to try DPTAD on: one made by hand, some by the simulator, and those of the GR Cup where the files are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.dptad import Thresholds, calibrate_thresholds
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.arrays import FloatArray
from conf.track import load_track
from conf.units import GRAVITY_MPS2
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from tests.unit.analysis.dptad.laps import BARBER, CHANNELS, INDIANAPOLIS, RACE_LAP_S, real_circuit, real_lap

GAIN_DEG_M, UNDERSTEER_DEG_PER_G, ZERO_DEG = 2000.0, 17.0, 3.0


@pytest.fixture(scope="session")
def hand_made() -> Callable[..., LapTrace]:
    """A lap at 108 km/h through four bends of 1.1 g, full throttle, its channels replaceable; 25 Hz, 80 s."""

    def make(**changed: FloatArray) -> LapTrace:
        t = np.arange(0.0, 80.0, 0.04)

        def bend(at: FloatArray) -> FloatArray:
            shape = np.clip(np.sin(2 * np.pi * at / 40.0) * 3.0, -1.0, 1.0)
            return shape * 0.012

        lateral = 30.0**2 * bend(t) / GRAVITY_MPS2
        ahead = bend(t + 0.1)
        steering = ZERO_DEG + GAIN_DEG_M * ahead + UNDERSTEER_DEG_PER_G * 30.0**2 * ahead / GRAVITY_MPS2
        channels = {
            "speed_kmh": np.full(t.size, 108.0),
            "throttle_pct": np.full(t.size, 100.0),
            "brake_front_bar": np.zeros(t.size),
            "steering_deg": steering,
            "rpm": np.full(t.size, 6000.0),
            "gear": np.full(t.size, 3.0),
            "accel_long_g": np.full(t.size, 0.1),
            "accel_lat_g": lateral,
        }
        return LapTrace(t, t * 30.0, {**channels, **changed}, 80.0)

    return make


@pytest.fixture(scope="session")
def simulated() -> list[LapTrace]:
    """Laps of five cars on one track, none of them a first lap."""
    settings = SimulatorConfig(
        track="alder-ridge", n_cars=5, n_laps=3, rate_hz=25.0, data_faults=DataFaults.none(), seed=4
    )
    simulator = VehicleSimulator(settings)
    laps = []
    for car in simulator.cars:
        samples = simulator.samples(car.vehicle_id)
        for number in (2, 3):
            lap = samples.filter(pl.col("lap_number") == number)
            t = (lap["t_us"] - lap["t_us"][0]).to_numpy() / 1e6
            channels = {name: lap[name].cast(pl.Float64).to_numpy() for name in CHANNELS}
            laps.append(LapTrace(t, lap["lap_distance_m"].to_numpy(), channels, float(t[-1])))
    return laps


@pytest.fixture(scope="session")
def circuit() -> Circuit:
    """The track of the simulated laps."""
    return circuit_from_track(load_track("alder-ridge"))


@pytest.fixture(scope="session")
def thresholds(simulated: list[LapTrace], circuit: Circuit) -> Thresholds:
    return calibrate_thresholds(simulated, "alder-ridge", 1, circuit, ("sim",))


@pytest.fixture(scope="session")
def barber(data_dir: Path) -> tuple[Circuit, dict[str, LapTrace]]:
    """Barber: its circuit, and one race lap of each of fifteen cars."""
    readings = pl.read_parquet(data_dir / "grcup/barber/barber_r1_fastest_lap_17cars.parquet")
    laps = {}
    for (car,), rows in readings.group_by("vehicle_id", maintain_order=True):
        span_s = (rows["ts"].max() - rows["ts"].min()).total_seconds()  # type: ignore[union-attr, operator]
        if 60.0 < span_s < RACE_LAP_S:  # one car's clock stood still
            laps[str(car)] = real_lap(rows, "ts", BARBER, 3676.0)
    return real_circuit("barber", laps["GR86-022-13"]), laps


@pytest.fixture(scope="session")
def indianapolis(data_dir: Path) -> tuple[Circuit, dict[tuple[str, int], LapTrace]]:
    """Indianapolis: its circuit, and the race laps of two cars."""
    readings = pl.read_parquet(data_dir / "grcup/indianapolis/indianapolis_r1_2cars_fullrace.parquet")
    readings = readings.filter(pl.col("lap") < 1000)
    is_sixtieth = pl.col("telemetry_name").is_in(["latitude", "longitude"])
    value = pl.col("telemetry_value")
    readings = readings.with_columns(pl.when(is_sixtieth).then(value * 60.0).otherwise(value))
    laps = {}
    for (car,), rows in readings.group_by("vehicle_id", maintain_order=True):
        starts = rows.group_by("lap").agg(pl.col("timestamp").min()).sort("lap")
        for (number, begin), (_, end) in pairwise(starts.rows()):
            if (end - begin).total_seconds() < RACE_LAP_S:
                one = rows.filter(pl.col("timestamp").is_between(begin, end))
                laps[str(car), int(number)] = real_lap(one, "timestamp", INDIANAPOLIS, 3880.0)
    first = next(lap for (car, number), lap in laps.items() if car.startswith("GR86-006") and number == 4)
    return real_circuit("indianapolis", first), laps
