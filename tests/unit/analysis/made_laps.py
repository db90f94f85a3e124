"""Laps driven by a formula on a circuit, sampled as GR Cup cars are: 23 Hz, speed and lap distance at every fifth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analysis.tracks.circuit import Circuit
from conf.units import GRAVITY_MPS2

RATE_HZ = 23.0
EARTH_M = 6_371_000.0


@dataclass(frozen=True)
class MadeLap:
    t_s: np.ndarray
    channels: dict[str, np.ndarray]
    lap_time_s: float
    true_m: np.ndarray

    def without(self, *names: str) -> dict[str, np.ndarray]:
        return {name: values for name, values in self.channels.items() if name not in names}


def pace_of(circuit: Circuit, top_mps: float = 50.0, lateral_g: float = 1.2) -> np.ndarray:
    """Speed on the circuit's grid, m/s: what the bends allow, rounded off."""
    line = circuit.line
    bend = np.abs(gaussian_filter1d(line.curvature_per_m, 10.0, mode="wrap"))
    limit = np.minimum(np.sqrt(lateral_g * GRAVITY_MPS2 / np.maximum(bend, 1e-6)), top_mps)
    return gaussian_filter1d(limit, 50.0 / line.step_m, mode="wrap")


def drive(
    circuit: Circuit,
    speed_mps: np.ndarray | None = None,
    *,
    origin_deg: tuple[float, float] | None = None,
    detour: tuple[float, float] | None = None,
    beside_m: float = 0.0,
    noise_m: float = 0.0,
    seed: int = 0,
) -> MadeLap:
    """One lap. ``detour`` = (where, metres): straight off the road and back, at the speed the car has there."""
    line = circuit.line
    speed = pace_of(circuit) if speed_mps is None else speed_mps
    edge = np.append(line.s_m, line.length_m)
    v = np.append(speed, speed[0])
    extra = np.zeros(len(edge))
    if detour:
        k = int(np.searchsorted(edge, detour[0]))
        extra[k] = detour[1] / v[k]
    steps = np.append(0.0, np.diff(edge) / ((v[1:] + v[:-1]) / 2))
    at_node = np.cumsum(steps + extra)
    lap_time = float(at_node[-1])
    t = np.arange(0.01, lap_time, 1 / RATE_HZ)
    knots_t, knots_s = at_node, edge
    off = np.zeros(len(t))
    if detour:
        k = int(np.searchsorted(edge, detour[0]))
        begin = at_node[k] - extra[k]
        knots_t, knots_s = np.insert(at_node, k, begin), np.insert(edge, k, edge[k])
        off = np.interp(t, [begin, (begin + at_node[k]) / 2, at_node[k]], [0.0, detour[1] / 2, 0.0])
    s = np.interp(t, knots_t, knots_s)
    grid = line.s_m

    def on_line(values: np.ndarray) -> np.ndarray:
        return np.interp(s, grid, values, period=line.length_m)

    dx, dy = (np.roll(axis, -1) - np.roll(axis, 1) for axis in (line.x_m, line.y_m))
    norm = np.hypot(dx, dy)
    rng = np.random.default_rng(seed)
    aside = beside_m + off
    x = on_line(line.x_m) - aside * on_line(dy / norm) + rng.normal(0.0, noise_m, len(t))
    y = on_line(line.y_m) + aside * on_line(dx / norm) + rng.normal(0.0, noise_m, len(t))
    speed_now, bend = on_line(speed), on_line(line.curvature_per_m)
    slope = np.gradient(speed, line.step_m) * speed
    accel = on_line(slope)
    slow = np.arange(len(t)) % 5 == 0
    covered = np.interp(t, *_with_detour(at_node, edge, extra))
    channels = {
        "speed_kmh": np.where(slow, speed_now * 3.6, np.nan),
        "lap_distance_m": np.where(slow, np.floor(covered), np.nan),
        "throttle_pct": np.where(accel > -0.5, 100.0, 0.0),
        "brake_front_bar": np.where(accel < -1.5, -10.0 * accel, 0.0),
        "steering_deg": 1_000.0 * bend,
        "accel_lat_g": speed_now**2 * bend / GRAVITY_MPS2,
        "gear": np.clip(np.floor(speed_now / 10.0), 1, 6),
    }
    if origin_deg is None:
        channels |= {"x_m": x, "y_m": y}
    else:
        lat, lon = origin_deg
        channels["lat_deg"] = lat + np.degrees(y / EARTH_M)
        channels["lon_deg"] = lon + np.degrees(x / (EARTH_M * np.cos(np.radians(lat))))
    return MadeLap(t, channels, lap_time, s)


def _with_detour(at_node: np.ndarray, edge: np.ndarray, extra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance covered, detours included."""
    metres = extra.copy()
    k = np.flatnonzero(extra)
    if not k.size:
        return at_node, edge
    i = int(k[0])
    speed = (edge[i + 1] - edge[i]) / (at_node[i + 1] - at_node[i])
    metres[i] = extra[i] * speed
    return np.insert(at_node, i, at_node[i] - extra[i]), np.insert(edge + np.cumsum(metres), i, edge[i])
