"""The laps of one vehicle in one session, as the lap table has them: what every pace analysis starts from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray

Row = dict[str, object]

PURPOSES: Final = ("pace", "sectors", "target_lap")
_COLUMNS: Final = (
    *("lap_number", "lap_time_ms", "sector_1_time", "sector_2_time", "sector_3_time"),
    *("fit_for", "flag_at_finish", "pit_in", "top_speed_kmh"),
)


@dataclass(frozen=True, slots=True)
class DriverLaps:
    """Laps of one vehicle in driving order, one entry a lap.

    Which lap serves which purpose is decided once, in the lap table (B6, B8): an analysis takes the laps that are fit
    for it and leaves out none of its own accord.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        lap_number: Rising, shape (n,); a number that is missing is a lap nobody timed.
        lap_time_s: Lap times, NaN where unknown, shape (n,).
        sectors_s: Times of the three sectors, NaN where the loop missed one, shape (n, 3).
        fit_for: Purpose (``pace``, ``sectors``, ``target_lap``) to whether the lap is fit for it, shape (n,) each.
        flag: Flag at the line at the end of each lap, ``None`` where unknown, n long.
        pit_in: Whether the lap ends in the pits, shape (n,).
        top_speed_kmh: Top speed, NaN where unknown, shape (n,).
    """

    session_id: str
    vehicle_id: str
    lap_number: IntArray
    lap_time_s: FloatArray
    sectors_s: FloatArray
    fit_for: Mapping[str, BoolArray]
    flag: tuple[str | None, ...]
    pit_in: BoolArray
    top_speed_kmh: FloatArray

    def __post_init__(self) -> None:
        n = self.lap_number.size
        shapes = {
            "lap_time_s": (self.lap_time_s.shape, (n,)),
            "sectors_s": (self.sectors_s.shape, (n, 3)),
            "flag": ((len(self.flag),), (n,)),
            "pit_in": (self.pit_in.shape, (n,)),
            "top_speed_kmh": (self.top_speed_kmh.shape, (n,)),
            **{f"fit_for[{purpose}]": (fit.shape, (n,)) for purpose, fit in self.fit_for.items()},
        }
        for name, (shape, wanted) in shapes.items():
            if shape != wanted:
                raise ValueError(f"{self.name}: {name} has shape {shape}, not {wanted}: give one entry per lap_number")
        missing = [purpose for purpose in PURPOSES if purpose not in self.fit_for]
        if missing:
            raise ValueError(f"{self.name}: fit_for lacks {', '.join(missing)}: take it from silver.laps.fit_for")
        stuck = np.flatnonzero(np.diff(self.lap_number) <= 0)
        if stuck.size:
            lap = self.lap_number[stuck[0] + 1]
            raise ValueError(f"{self.name}: lap_number {lap} is out of order or repeated: one row a lap, ascending")

    def __len__(self) -> int:
        return int(self.lap_number.size)

    @property
    def name(self) -> str:
        """``session|vehicle``, the key of the vehicle's messages."""
        return f"{self.session_id}|{self.vehicle_id}"

    def times_s(self, purpose: str) -> FloatArray:
        """Lap times, NaN where a lap is not fit for the purpose, shape (n,)."""
        return np.where(self.fit_for[purpose], self.lap_time_s, np.nan)

    def sector_times_s(self, purpose: str) -> FloatArray:
        """Sector times, NaN where a lap is not fit for the purpose, shape (n, 3)."""
        return np.where(self.fit_for[purpose][:, None], self.sectors_s, np.nan)


def build_driver_laps(session_id: str, vehicle_id: str, columns: Mapping[str, Sequence[object]]) -> DriverLaps:
    """Laps from the columns of ``silver.laps``.

    Args:
        session_id: Session.
        vehicle_id: Vehicle.
        columns: ``lap_number``, ``lap_time_ms``, ``sector_1_time`` to ``sector_3_time``, ``fit_for`` (a list of
            purposes per lap), ``flag_at_finish``, ``pit_in``, ``top_speed_kmh``: one entry a lap, in any order,
            ``None`` or NaN for null. Further columns are not looked at.

    Raises:
        ValueError: If a column is missing, a lap has no number or comes twice, or lengths differ.
    """
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise ValueError(f"columns lack {', '.join(missing)}: read them from silver.laps")
    lap_number = _floats(columns["lap_number"])
    if not np.isfinite(lap_number).all():
        raise ValueError(f"{session_id}|{vehicle_id}: a lap has no lap_number: it is the key of silver.laps")
    given = {name: len(columns[name]) for name in _COLUMNS}
    if len(set(given.values())) > 1:
        raise ValueError(f"{session_id}|{vehicle_id}: columns differ in length ({given}): give one entry a lap")
    order = np.argsort(lap_number, kind="stable")
    purposes = [() if _is_null(fit) else fit for fit in columns["fit_for"]]
    flags = columns["flag_at_finish"]
    return DriverLaps(
        session_id,
        vehicle_id,
        lap_number=lap_number[order].astype(np.int64),
        lap_time_s=_floats(columns["lap_time_ms"])[order] / 1000.0,
        sectors_s=np.column_stack([_floats(columns[f"sector_{i}_time"])[order] for i in (1, 2, 3)]),
        fit_for={p: np.array([p in fit for fit in purposes], dtype=np.bool_)[order] for p in PURPOSES},  # type: ignore[operator]
        flag=tuple(None if _is_null(flags[i]) else str(flags[i]) for i in order),
        pit_in=np.array([not _is_null(x) and bool(x) for x in columns["pit_in"]], dtype=np.bool_)[order],
        top_speed_kmh=_floats(columns["top_speed_kmh"])[order],
    )


def null_if_nan(value: float) -> float | None:
    """``None`` for NaN, as JSON and the tables want it (B9)."""
    return None if math.isnan(value) else float(value)


def to_milliseconds(value_s: float) -> int | None:
    """Whole milliseconds, ``None`` for NaN."""
    return None if math.isnan(value_s) else round(value_s * 1000.0)


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _floats(values: Sequence[object]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
