"""Made-up trips in the form of the published files, running means as the logger of the car has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d

from ml.style.obd import ObdTrip, read_trip

PIECE_ROWS = 70


def drive(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """One drive in time order; aggressive where engine speed spread widely over the last 20 rows."""
    speed = np.abs(np.cumsum(gaussian_filter1d(rng.normal(0, 4, rows), 2)))
    speed = pd.Series(np.abs((speed + 130) % 260 - 130).round(2))  # turns back at 130 km/h
    rpm = 800 + 25 * speed + gaussian_filter1d(rng.normal(0, 500, rows), 1.5)
    style = np.where(rpm.rolling(20, min_periods=1).std(ddof=0) > 300, "AggressiveStyle", "EvenPaceStyle")
    walk = lambda scale: np.cumsum(rng.normal(0, scale, rows))  # noqa: E731
    return pd.DataFrame(
        {
            "AltitudeVariation": walk(0.3),
            "VehicleSpeedInstantaneous": speed,
            "VehicleSpeedAverage": speed.rolling(60).mean(),
            "VehicleSpeedVariance": speed.rolling(60).var(ddof=0),
            "VehicleSpeedVariation": speed.diff(),
            "LongitudinalAcceleration": walk(0.1),
            "EngineLoad": (30 + gaussian_filter1d(rng.normal(0, 40, rows), 2)).clip(0, 100),
            "EngineCoolantTemperature": 30 + 50 * (1 - np.exp(-np.arange(rows) / 300)),
            "ManifoldAbsolutePressure": 110 + walk(1.0),
            "EngineRPM": rpm.round(),
            "MassAirFlow": 15 + walk(0.5),
            "IntakeAirTemperature": 20 + walk(0.1),
            "VerticalAcceleration": walk(0.1),
            "FuelConsumptionAverage": 15 + walk(0.05),
            "roadSurface": "SmoothCondition",
            "traffic": "LowCongestionCondition",
            "drivingStyle": style,
        }
    )


def shuffled_rows(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """Rows in pieces of equal length, the pieces in any order but the first."""
    pieces = np.array_split(np.arange(n_rows), np.arange(PIECE_ROWS, n_rows, PIECE_ROWS))
    return np.concatenate([pieces[0], *(pieces[i] for i in rng.permutation(np.arange(1, len(pieces))))])


@pytest.fixture
def frame() -> Callable[[int], pd.DataFrame]:
    """Makes a table of two drives in time order."""

    def make(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return pd.concat([drive(rng, 700), drive(rng, 560)], ignore_index=True)

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes a table as a trip file and gives its path."""

    def write(table: pd.DataFrame, name: str = "made_up", decimal: str = ",") -> Path:
        path = tmp_path / f"{name}.csv"
        table.to_csv(path, sep=";", decimal=decimal, index=False, lineterminator="\r\n")
        return path

    return write


@pytest.fixture
def trip(frame: Callable[[int], pd.DataFrame], save: Callable[..., Path]) -> Callable[[int], ObdTrip]:
    """Makes a trip whose pieces were shuffled, as in the published files."""

    def make(seed: int) -> ObdTrip:
        table = frame(seed)
        rows = shuffled_rows(np.random.default_rng(seed + 1000), len(table))
        return read_trip(save(table.iloc[rows], f"trip_{seed}"))

    return make


@pytest.fixture(scope="session")
def real_paths(data_dir: Path) -> list[Path]:
    """The real trips."""
    paths = sorted((data_dir / "driving_style").glob("*.csv"))
    if len(paths) < 2:
        pytest.skip(f"no OBD trips in {data_dir / 'driving_style'}")
    return paths
