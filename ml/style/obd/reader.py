"""Read one labelled OBD trip: a table of text, one row a second, without a time column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from conf.arrays import BoolArray, FloatArray
from conf.errors import InputError
from conf.text_table import MalformedLine, TextRow, open_text_table

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
        path: the file, in any dialect that :func:`conf.text_table.open_text_table` reads.
        require_label: False accepts a file without label, to be scored only.

    Returns:
        The trip, its nulls untouched.

    Raises:
        TripFormatError: missing column, ragged row, malformed number, unknown label.
        TextTableError: missing, empty or damaged file.
    """
    path = Path(path)
    header, rows = _split(path)
    needed = [*SIGNALS, *([LABEL] if require_label else [])]
    missing = [name for name in needed if name not in header]
    if missing:
        raise TripFormatError(
            f"{path}: missing column(s) {', '.join(missing)}; expected a header with {', '.join(needed)}"
        )
    text = pd.DataFrame([[cell.strip() for cell in row.cells] for row in rows], columns=header)
    lines = [row.line for row in rows]
    signals = pd.DataFrame({new: _numbers(path, old, text[old], lines) for old, new in SIGNALS.items()})
    label = _labels(path, text[LABEL], lines) if LABEL in header else None
    notes = pd.DataFrame({new: text[old] for old, new in ANNOTATIONS.items() if old in header}, index=text.index)
    return ObdTrip(path.stem, signals, label, notes)


def read_trips(paths: Sequence[Path | str]) -> list[ObdTrip]:
    """Read several labelled trips, in the order given."""
    return [read_trip(path) for path in paths]


def _split(path: Path) -> tuple[list[str], list[TextRow]]:
    """Header and rows as text; a line that is no row is an error."""
    table = open_text_table(path, frozenset([*SIGNALS, LABEL]))
    header, rows = list(table.columns), []
    if len(set(header)) != len(header):
        raise TripFormatError(f"{path}: a column name occurs twice in the header; name each column once")
    for row in table.rows():
        if isinstance(row, MalformedLine):
            raise TripFormatError(f"{path}, line {row.line}: {row.reason}; repair the line")
        rows.append(row)
    if not rows:
        raise TripFormatError(f"{path}: a header but no rows; export the trip again")
    return header, rows


def _numbers(path: Path, column: str, text: pd.Series[str], lines: Sequence[int]) -> FloatArray:
    null = text.str.lower().isin(NULL_TOKENS)
    numbers = pd.to_numeric(text.str.replace(",", ".", regex=False).mask(null), errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(numbers) & ~null.to_numpy())
    if bad.size:
        raise TripFormatError(
            f"{path}, line {lines[bad[0]]}, column {column}: {text.iloc[bad[0]]!r} is not a finite number "
            f"({bad.size} such field(s)); leave it empty if the car sent none"
        )
    return numbers


def _labels(path: Path, text: pd.Series[str], lines: Sequence[int]) -> BoolArray:
    bad = np.flatnonzero(~text.isin(list(STYLES)).to_numpy())
    if bad.size:
        raise TripFormatError(
            f"{path}, line {lines[bad[0]]}, column {LABEL}: unknown label {text.iloc[bad[0]]!r}; "
            f"use one of {', '.join(STYLES)}"
        )
    return text.map(STYLES).to_numpy(bool)
