"""What the channels of the published laps are called, and one lap out of their readings."""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from analysis.tracks.corners import find_corners
from tests.unit.physics.gps_line import line_from_gps

CHANNELS = (
    "speed_kmh",
    "throttle_pct",
    "brake_front_bar",
    "steering_deg",
    "rpm",
    "gear",
    "accel_long_g",
    "accel_lat_g",
)
BARBER = {
    "speed": "speed_kmh",
    "nmot": "rpm",
    "gear": "gear",
    "aps": "throttle_pct",
    "pbrake_f": "brake_front_bar",
    "accx_can": "accel_long_g",
    "accy_can": "accel_lat_g",
    "Steering_Angle": "steering_deg",
    "VBOX_Lat_Min": "lat_deg",
    "VBOX_Long_Minutes": "lon_deg",
}
INDIANAPOLIS = {
    "speed": "speed_kmh",
    "rpm": "rpm",
    "gear": "gear",
    "throttle_pos": "throttle_pct",
    "brake_front": "brake_front_bar",
    "acc_x": "accel_long_g",
    "acc_y": "accel_lat_g",
    "steering": "steering_deg",
    "latitude": "lat_deg",
    "longitude": "lon_deg",
}
RACE_LAP_S = 103.5  # slower laps of either track are out laps or behind the safety car


def real_lap(readings: pl.DataFrame, clock: str, names: dict[str, str], length_m: float) -> LapTrace:
    """One lap of one car in long form; distance from its speed, scaled to the track."""
    wide = (
        readings.filter(pl.col("telemetry_name").is_in(list(names)))
        .with_columns(us=(pl.col(clock) - pl.col(clock).min()).dt.total_microseconds())
        .pivot(on="telemetry_name", index="us", values="telemetry_value", aggregate_function="first")
        .sort("us")
    )
    t = wide["us"].to_numpy() / 1e6
    channels = {names[name]: wide[name].fill_null(np.nan).to_numpy() for name in names}
    known = np.isfinite(channels["speed_kmh"])
    speed = np.interp(t, t[known], channels["speed_kmh"][known]) / 3.6
    driven = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(t))])
    return LapTrace(t, driven * length_m / driven[-1], channels, float(t[-1]))


def real_circuit(track_id: str, lap: LapTrace) -> Circuit:
    fixed = np.isfinite(lap.channels["lat_deg"]) & np.isfinite(lap.channels["lon_deg"])
    line = line_from_gps(lap.distance_m[fixed], lap.channels["lat_deg"][fixed], lap.channels["lon_deg"][fixed], 10.0)
    return Circuit(track_id, line, find_corners(line), source="gps")
