"""The limit lap: an envelope driven round a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conf.arrays import FloatArray
from conf.units import KMH_PER_MPS
from physics.centre_line import Line
from physics.integrate import elapsed_s
from physics.limit_lap.envelope import Envelope
from physics.limit_lap.solver import BatteryLimits, EnvelopeTables, solve_speed

_START_MPS, _LEAST_MPS = 100.0 / KMH_PER_MPS, 1.0

# How far below the limit speed the published reference laps take a bend, in effect. They slow to 0.5 m/s below it, and
# less their rounding to steps of 0.2 m/s, but only where the car would go over the limit: in between it gains again.
REFERENCE_MARGIN_MPS = 0.47


@dataclass(frozen=True)
class LimitLap:
    """A flying lap at the limit.

    Attributes:
        distance_m: From the line to the line, shape (n + 1,).
        time_s: Shape (n + 1,).
        speed_mps: Shape (n + 1,).
    """

    distance_m: FloatArray
    time_s: FloatArray
    speed_mps: FloatArray

    @property
    def lap_time_s(self) -> float:
        """Time of the whole lap."""
        return float(self.time_s[-1])

    def sector_times_s(self, ends_m: Sequence[float]) -> tuple[float, ...]:
        """Times between the line, the grid points nearest to the ends of sectors, and the line again."""
        at = [int(np.argmin(np.abs(self.distance_m - end))) for end in ends_m]
        return tuple(float(x) for x in np.diff(self.time_s[[0, *at, -1]]))


def solve_limit_lap(
    envelope: Envelope, line: Line, *, margin_mps: float = 0.0, drs_zones_m: Sequence[tuple[float, float]] = ()
) -> LimitLap:
    """The fastest flying lap that an envelope allows on a line, corner by corner.

    After Heilmeier et al. (EVER 2019): drive at full force; where a bend cannot be passed at the speed reached, take
    its limit and brake back from it until the speed before is met.

    Args:
        envelope: What the car can do.
        line: The line it takes.
        margin_mps: How far the driver stays below the speed at which a bend can just be held.
        drs_zones_m: Where DRS opens and closes.
    """
    bend = np.abs(line.curvature_per_m)
    most = np.maximum(envelope.fastest_mps(bend, envelope.corner_mps2) - margin_mps, _LEAST_MPS)
    drs = _drs_open(line, drs_zones_m) * envelope.drs_drag_cut
    speed = solve_speed(_tables(envelope), _store(envelope), bend, line.step_m, drs, most, _START_MPS)
    n = len(bend)
    v = speed[n : 2 * n + 1]
    return LimitLap(np.linspace(0.0, line.length_m, n + 1), elapsed_s(v, line.step_m), v)


def _drs_open(line: Line, zones: Sequence[tuple[float, float]]) -> FloatArray:
    """One where DRS is open, else zero, shape (n,)."""
    n, ends = len(line.s_m), np.append(line.s_m, line.length_m)
    is_open = np.zeros(n)
    for opens, closes in zones:
        first, last = (int(np.argmin(np.abs(ends - at))) for at in (opens, closes))
        span = np.arange(first, last if first < last else last + n)
        is_open[span % n] = 1.0
    return is_open


def _tables(e: Envelope) -> EnvelopeTables:
    return EnvelopeTables(
        lateral=e.lateral_mps2,
        drive=e.drive_mps2,
        drive_share=e.drive_share_per_mps2,
        forward=e.forward_mps2,
        brake=e.brake_mps2,
        rolling=e.rolling_mps2,
        drag=e.drag_per_m,
        engine=e.engine_mps2,
        motor=e.motor_mps2,
        shaft=e.shaft_per_wheel,
    )


def _store(e: Envelope) -> BatteryLimits:
    s = e.store
    if s is None:
        return BatteryLimits(-1.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    per_kg = 1.0 / e.mass_kg
    return BatteryLimits(
        s.start_j * per_kg,
        s.most_recovered_j * per_kg,
        s.motor_efficiency,
        s.brake_recovery,
        s.exhaust_recovery,
        s.motor_from_mps,
    )
