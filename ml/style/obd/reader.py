"""Read one labelled OBD trip: a `;`-separated file, one row a second, without a time column."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from conf.arrays import BoolArray, FloatArray
from conf.errors import InputError

SIGNALS = {
    "AltitudeVariation": "altitude_change_m",
    "VehicleSpeedInstantaneous": "speed_kmh",
    "VehicleSpeedAverage": "speed_avg_60s_kmh",
    "VehicleSpeedVariance": "speed_var_60s_kmh2",
    "VehicleSpeedVariation": "speed_change_kmh",
    "LongitudinalAcceleration": "accel_long_ms2",
    "EngineLoad": "engine_load_pct",
    "EngineCoolantTemperature": "coolant_temp_c",
    "ManifoldAbsolutePressure": "manifold_kpa",
    "EngineRPM": "rpm",
    "MassAirFlow": "air_flow_gs",
    "IntakeAirTemperature": "intake_temp_c",
    "VerticalAcceleration": "accel_vert_ms2",
    "FuelConsumptionAverage": "fuel_avg_l_100km",
}
"""Columns of the file and the names used here; the speed change is against the row before, in km/h."""

ANNOTATIONS = {"roadSurface": "road_surface", "traffic": "traffic"}
"""What the observer noted beside the style. Never a feature: a car on the road does not send them."""

LABEL = "drivingStyle"
STYLES = {"EvenPaceStyle": False, "AggressiveStyle": True}
NULL_TOKENS = frozenset({"", "nan", "na", "null", "none"})


class TripFormatError(InputError):
    """A trip file cannot be read; the message names the file, the row and column, and the remedy."""


@dataclass(frozen=True)
class ObdTrip:
    """One file of OBD rows.

    Attributes:
        name: name of the trip (the file's stem).
        signals: one row per file row, columns as in `SIGNALS`; null where the car gave no value.
        aggressive: label per row, or None for a trip without a label column.
        annotations: road surface and traffic as noted, for slicing results only.
    """

    name: str
    signals: pd.DataFrame
    aggressive: BoolArray | None
    annotations: pd.DataFrame

    @property
    def labels(self) -> BoolArray:
        """Labels of the trip.

        Raises:
            InputError: the trip has none.
        """
        if self.aggressive is None:
            raise InputError(f"trip {self.name} has no {LABEL} column: it can be scored, not trained on or evaluated")
        return self.aggressive


def read_trip(path: Path | str, *, require_label: bool = True) -> ObdTrip:
    """Read and check a trip file; numbers may have a decimal comma or point.

    Args:
        path: the `;`-separated file.
        require_label: False accepts a file without label, to be scored only.

    Returns:
        The trip, its nulls untouched.

    Raises:
        TripFormatError: missing or empty file, missing column, ragged row, malformed number, unknown label.
    """
    path = Path(path)
    header, rows = _split(path)
    needed = [*SIGNALS, *([LABEL] if require_label else [])]
    missing = [name for name in needed if name not in header]
    if missing:
        raise TripFormatError(
            f"{path}: missing column(s) {', '.join(missing)}; expected a `;`-separated header with {', '.join(needed)}"
        )
    text = pd.DataFrame(rows, columns=header)
    signals = pd.DataFrame({new: _numbers(path, old, text[old]) for old, new in SIGNALS.items()})
    label = _labels(path, text[LABEL]) if LABEL in header else None
    notes = pd.DataFrame({new: text[old] for old, new in ANNOTATIONS.items() if old in header}, index=text.index)
    return ObdTrip(path.stem, signals, label, notes)


def read_trips(paths: Sequence[Path | str]) -> list[ObdTrip]:
    """Read several labelled trips, in the order given."""
    return [read_trip(path) for path in paths]


def _split(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows as text, every row as long as the header; blank lines are an error like any ragged row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [[field.strip() for field in line] for line in csv.reader(file, delimiter=";")]
    except OSError as error:
        raise TripFormatError(f"{path}: cannot be read ({error.strerror}); give the path of a trip file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TripFormatError(f"{path}: not a UTF-8 text table ({error}); export the trip again as CSV") from error
    if not lines:
        raise TripFormatError(f"{path}: the file is empty; export the trip again")
    header, *rows = lines
    if len(set(header)) != len(header):
        raise TripFormatError(f"{path}: a column name occurs twice in the header; name each column once")
    if not rows:
        raise TripFormatError(f"{path}: a header but no rows; export the trip again")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise TripFormatError(
                f"{path}, line {number}: {len(row)} fields where the header has {len(header)}; repair the line"
            )
    return header, rows


def _numbers(path: Path, column: str, text: pd.Series[str]) -> FloatArray:
    null = text.str.lower().isin(NULL_TOKENS)
    numbers = pd.to_numeric(text.str.replace(",", ".", regex=False).mask(null), errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(numbers) & ~null.to_numpy())
    if bad.size:
        raise TripFormatError(
            f"{path}, line {bad[0] + 2}, column {column}: {text.iloc[bad[0]]!r} is not a finite number "
            f"({bad.size} such field(s)); leave it empty if the car sent none"
        )
    return numbers


def _labels(path: Path, text: pd.Series[str]) -> BoolArray:
    bad = np.flatnonzero(~text.isin(list(STYLES)).to_numpy())
    if bad.size:
        raise TripFormatError(
            f"{path}, line {bad[0] + 2}, column {LABEL}: unknown label {text.iloc[bad[0]]!r}; "
            f"use one of {', '.join(STYLES)}"
        )
    return text.map(STYLES).to_numpy(bool)
