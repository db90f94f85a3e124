"""GR Cup laps as they were published, cut at the timing's instants.

A car's clock is brought to UTC by the smallest difference between arrival and clock. Barber's and VIR's laps come with
official sector times; Indianapolis's are cut between two lap starts of the timing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.channel import load_channels

# The file holds sixtieths of the degrees, not radians: times 60 the cars pass the bricks at 39.793 N, 86.239 W, and as
# radians they would drive in Kentucky, on a track five percent too short.
INDIANAPOLIS_DEG = {"latitude": 60.0, "longitude": 60.0}
NUMBERS = {"GR86-060-2": 111, "GR86-002-000": 2}  # who raced under which number, where the id does not say


@dataclass(frozen=True)
class RealLap:
    car: str
    number: int
    t_s: np.ndarray
    channels: dict[str, np.ndarray]
    lap_time_s: float
    sectors_s: tuple[float, float, float] | None

    def trace(self, circuit: Circuit | None = None, without: tuple[str, ...] = ()) -> LapTrace:
        kept = {name: values for name, values in self.channels.items() if name not in without}
        return place_samples(self.t_s, kept, self.lap_time_s, circuit)


@cache
def vir(data_dir: Path) -> tuple[RealLap, ...]:
    """Seventeen laps of four cars, eight of race 1 and nine of race 2."""
    folder = data_dir / "grcup" / "vir"
    readings = pl.read_csv(folder / "R1_vir_telemetry_data.csv.gz", infer_schema_length=0)
    laps = []
    for race, day in (("R1", "2025-07-19"), ("R2", "2025-07-20")):
        official = _official(folder / f"23_AnalysisEnduranceWithSections_Race {race[1]}_Anonymized.CSV", day, 4)
        laps += _official_laps(readings.filter(pl.col("meta_session") == race), official)
    return tuple(laps)


@cache
def barber(data_dir: Path) -> tuple[RealLap, ...]:
    """One lap of each of sixteen cars, and the single-lap file's; the car whose clock stood still is left out."""
    folder = data_dir / "grcup" / "barber"
    official = _official(folder / "23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV", "2025-09-06", 5)
    many = pl.read_parquet(folder / "barber_r1_fastest_lap_17cars.parquet")
    one = pl.read_csv(folder / "R1_barber_telemetry_data_1lap.csv", infer_schema_length=0)
    moving = many.filter(pl.col("vehicle_id") != "GR86-013-80")
    return tuple(_official_laps(moving, official) + _official_laps(one, official))


@cache
def indianapolis(data_dir: Path) -> tuple[RealLap, ...]:
    """Laps 8 to 12, by the cars' counters, of both cars."""
    folder = data_dir / "grcup" / "indianapolis"
    some = (
        pl.scan_parquet(folder / "indianapolis_r1_2cars_fullrace.parquet").filter(pl.col("lap").is_between(7, 13))
    ).collect()
    starts = pl.read_csv(folder / "R1_indianapolis_motor_speedway_lap_start.csv")
    laps = []
    for (car,), rows in _utc(some).group_by("vehicle_id", maintain_order=True):
        at = starts.filter(pl.col("vehicle_id") == car)["timestamp"].str.to_datetime(time_zone="UTC")
        edges = sorted(set(at.dt.timestamp("us").to_list()))
        for number, (begin, end) in enumerate(pairwise(edges)):
            lap = _cut(str(car), number, rows, begin, end, None)
            if lap is not None and end - begin > 60e6:
                laps.append(lap)
    return tuple(laps)


def _official_laps(readings: pl.DataFrame, official: pl.DataFrame) -> list[RealLap]:
    laps = []
    for (car,), rows in _utc(readings).group_by("vehicle_id", maintain_order=True):
        number = NUMBERS.get(str(car)) or int(str(car).split("-")[2])
        for row in official.filter(pl.col("number") == number).iter_rows(named=True):
            sectors = (row["s1"], row["s2"], row["s3"])
            lap = _cut(str(car), row["lap"], rows, row["start_us"], row["end_us"], sectors)
            if lap is not None:
                laps.append(lap)
    return laps


def _cut(
    car: str, number: int, rows: pl.DataFrame, start_us: int, end_us: int, sectors: tuple[float, float, float] | None
) -> RealLap | None:
    """One lap, where the readings cover it but for two seconds."""
    inside = rows.filter(pl.col("utc_us").is_between(start_us, end_us)).sort("utc_us")
    if not inside.height or inside["utc_us"].max() - inside["utc_us"].min() < end_us - start_us - 2e6:
        return None
    wide = inside.pivot(on="name", index="utc_us", values="value", aggregate_function="first").sort("utc_us")
    channels = {c: wide[c].fill_null(np.nan).to_numpy() for c in wide.columns if c != "utc_us"}
    return RealLap(
        car, number, (wide["utc_us"].to_numpy() - start_us) / 1e6, channels, (end_us - start_us) / 1e6, sectors
    )


def _utc(readings: pl.DataFrame) -> pl.DataFrame:
    """Readings of known channels: ``vehicle_id, name, value, utc_us``."""
    sources = load_channels().sources
    renamed = "latitude" in set(readings["telemetry_name"].unique())
    known = sources["grcup-renamed" if renamed else "grcup"].channels
    factor = {name: INDIANAPOLIS_DEG.get(name, entry.factor) for name, entry in known.items()}
    name = pl.col("telemetry_name")
    car, arrival = (_micros(readings, column) for column in ("timestamp", "meta_time"))
    return (
        readings.with_columns(car_us=car, arrival_us=arrival)
        .with_columns(
            utc_us=pl.col("car_us") + (pl.col("arrival_us") - pl.col("car_us")).min().over("vehicle_id"),
        )
        .filter(name.is_in(list(known)))
        .select(
            "vehicle_id",
            "utc_us",
            name=name.replace_strict({n: entry.channel for n, entry in known.items()}),
            value=pl.col("telemetry_value").cast(pl.Float64) * name.replace_strict(factor),
        )
    )


def _micros(readings: pl.DataFrame, column: str) -> pl.Series:
    values = readings[column]
    if values.dtype == pl.String:
        values = values.str.replace(r"\+00:00$", "Z").str.replace(" ", "T").str.to_datetime(time_zone="UTC")
    return values.dt.timestamp("us")


def _official(path: Path, day: str, hours_to_utc: int) -> pl.DataFrame:
    rows = pl.read_csv(path, separator=";", infer_schema_length=0)
    rows = rows.rename({name: name.strip() for name in rows.columns})
    midnight = np.datetime64(day, "us").astype(int) + hours_to_utc * 3_600_000_000
    found = []
    for row in rows.iter_rows(named=True):
        lap_s, hour_s = _seconds(row["LAP_TIME"]), _seconds(row["HOUR"])
        end = int(midnight + round(hour_s * 1e6))
        found.append(
            {
                "number": int(row["NUMBER"]),
                "lap": int(row["LAP_NUMBER"]),
                "start_us": end - round(lap_s * 1e6),
                "end_us": end,
                **{f"s{k}": _seconds(row[f"S{k}"]) for k in (1, 2, 3)},
            }
        )
    return pl.DataFrame(found)


def _seconds(text: str | None) -> float:
    if text is None or not text.strip():
        return float("nan")
    total = 0.0
    for part in text.strip().split(":"):
        total = 60.0 * total + float(part)
    return total
