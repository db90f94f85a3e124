"""Limits of a ghost: the envelope, and what the cars' laps showed beyond it, by position.

The fitted surface knows speed but not place, while real roads rise, fall, bank and bump. Two corrections come from the
laps themselves:

* ``slope``: what the road gives or takes along it, the median over the laps that were flat out there of their
  acceleration less the engine's. It moves the forward side of the surface, up or down.
* ``shown``: how far laps still lay outside that surface, the quantile ``shown_quantile`` over laps. There, and nowhere
  else, a ghost may lie outside it as far.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from analysis.car_limits.fitted_envelope import FittedEnvelope
from analysis.car_limits.motion import Motion
from analysis.car_limits.observed_limit import ObservedLimit
from analysis.laps.full_throttle import is_full_throttle, throttle_plateau_pct
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray
from conf.ghost import FeasibilityRules
from ml.ghost.search.accelerations import SpeedSlopes, speed_slopes
from ml.ghost.search.gearbox import ObservedGearbox, learn_gearbox
from ml.ghost.search.human_laps import HumanLaps
from physics.centre_line import Line

MIN_MPS: Final = 1.0
_AROUND_S: Final = 2.0  # of a flying lap, repeated before and after it
_LEAST_MPS2: Final = 1e-3
_FULL_WITHIN_M: Final = 20.0  # flat out that far either way: as far as the window of the acceleration reaches
_FEWEST: Final = 3  # laps flat out at a place, and a quarter of all, from which the road's slope is known


@dataclass(frozen=True)
class CarLimits:
    """Limits of one car on one track; distances on the circuit's scale, accelerations on the cars' own.

    Attributes:
        fitted: The envelope.
        line: Line that bends are read from, on the cars' own scale.
        length_m: Length of the circuit.
        limit_lap_s: Time of the limit lap.
        step_m: Step of the grid.
        slope_mps2: What the road gives along it, zero where nobody was flat out, shape (n + 1,).
        shown_mps2: How far human laps lay outside the surface, shape (n + 1,).
        both_pedals_m: Most metres of a human lap with throttle and brake together.
        gearbox: ``None`` where the laps have no gear or engine speed.
        hardest_bar: Hardest front brake pressure.
        rules: Thresholds.
    """

    fitted: FittedEnvelope
    line: Line
    length_m: float
    limit_lap_s: float
    step_m: float
    slope_mps2: FloatArray
    shown_mps2: FloatArray
    both_pedals_m: float
    gearbox: ObservedGearbox | None
    hardest_bar: float
    rules: FeasibilityRules

    @property
    def scale(self) -> float:
        """Cars' own distance (and speed) per the circuit's."""
        return self.line.length_m / self.length_m

    def slopes(self, at_m: FloatArray, speed_mps: FloatArray) -> SpeedSlopes:
        """Speed and acceleration along, on the cars' scale; see :func:`ml.ghost.search.accelerations.speed_slopes`."""
        return speed_slopes(at_m * self.scale, speed_mps * self.scale)

    def curvature_per_m(self, at_m: FloatArray) -> FloatArray:
        """Signed curvature on the cars' scale, positive to the left."""
        line = self.line
        return np.interp(at_m * self.scale, line.s_m, line.curvature_per_m, period=line.length_m)

    def across_mps2(self, at_m: FloatArray, speed_mps: FloatArray) -> FloatArray:
        """Signed acceleration across, ``v^2`` times curvature, positive to the left."""
        return np.asarray(speed_mps**2 * self.curvature_per_m(at_m))

    def engine_mps2(self, at_m: FloatArray, speed_mps: FloatArray) -> FloatArray:
        """Acceleration at full throttle on a level road, as far as the bend leaves the tyres for it."""
        share = np.abs(self.across_mps2(at_m, speed_mps)) / self.fitted.across_mps2(speed_mps)
        n = self.fitted.forward_exponent
        left = np.maximum(1.0 - np.minimum(share, 1.0) ** n, 0.0) ** (1.0 / n)
        return np.asarray(np.maximum(self.fitted.forward_mps2(speed_mps), 0.0) * left)

    def beyond_mps2(self, at_m: FloatArray, moved: SpeedSlopes) -> FloatArray:
        """How far accelerations lie outside the surface, the road's slope counted; NaN where they are not known."""
        along = np.where(moved.along_mps2 > 0, moved.along_mps2 - self._at(self.slope_mps2, at_m), moved.along_mps2)
        across = np.abs(self.across_mps2(at_m, moved.speed_mps))
        return np.where(moved.whole, envelope_excess_mps2(self.fitted, moved.speed_mps, along, across), np.nan)

    def excess_mps2(self, at_m: FloatArray, moved: SpeedSlopes) -> FloatArray:
        """How far they lie outside the surface and outside what humans showed at that place."""
        return np.maximum(self.beyond_mps2(at_m, moved) - self._at(self.shown_mps2, at_m), 0.0)

    def over_engine(self, at_m: FloatArray, speed_mps: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Energy by which each step of an acceleration beats the engine, and its length; zero where the car slows.

        Args:
            at_m: Rising, shape (points,).
            speed_mps: Shape (rows, points).

        Returns:
            ``(v_b^2 - v_a^2) / 2 - a_engine ds`` per mass, J/kg, and ``ds`` in m, each (rows, points - 1), on the
            cars' scale.
        """
        v, ds = speed_mps * self.scale, np.diff(at_m) * self.scale
        middle = (at_m[1:] + at_m[:-1]) / 2.0
        can = self.engine_mps2(middle, (v[:, 1:] + v[:, :-1]) / 2.0) + self._at(self.slope_mps2, middle)
        gained = (v[:, 1:] ** 2 - v[:, :-1] ** 2) / 2.0
        faster = gained > 0
        return np.where(faster, gained - np.maximum(can, 0.0) * ds, 0.0), np.where(faster, ds, 0.0)

    def both_pedals(self, throttle_pct: FloatArray, brake_bar: FloatArray) -> BoolArray:
        """Where throttle and brake are pressed together."""
        return np.asarray((throttle_pct > self.rules.overlap_throttle_pct) & (brake_bar > self.rules.overlap_brake_bar))

    def _at(self, values: FloatArray, at_m: FloatArray) -> FloatArray:
        return np.interp(at_m, np.arange(len(values)) * self.step_m, values, period=self.length_m)


def learn_limits(
    laps: HumanLaps, traces: Sequence[LapTrace], circuit: Circuit, seen: ObservedLimit, rules: FeasibilityRules
) -> CarLimits:
    """Learn the limits from laps.

    Args:
        laps: The laps on the grid.
        traces: The same with all their channels; for the gearbox.
        circuit: The circuit.
        seen: Envelope, line and limit lap fitted to them.
        rules: Thresholds.
    """
    nothing = np.zeros(laps.values.shape[1])
    limits = CarLimits(
        fitted=seen.fitted,
        line=seen.line,
        length_m=circuit.length_m,
        limit_lap_s=seen.lap.lap_time_s,
        step_m=laps.step_m,
        slope_mps2=nothing,
        shown_mps2=nothing,
        both_pedals_m=0.0,
        gearbox=learn_gearbox(traces),
        hardest_bar=float(laps.values[:, :, 2].max()),
        rules=rules,
    )
    moved = flying_accelerations(limits, laps.at_m, laps.speed_mps).slopes
    together = limits.both_pedals(laps.values[:, :, 1], laps.values[:, :, 2])[:, :-1].sum(axis=1) * laps.step_m
    limits = replace(limits, slope_mps2=_road_slope(limits, laps, moved), both_pedals_m=float(together.max()))
    shown = np.quantile(np.nan_to_num(limits.beyond_mps2(laps.at_m, moved)), rules.shown_quantile, axis=0)
    reach = 2 * round(rules.shown_within_m / laps.step_m) + 1
    return replace(limits, shown_mps2=maximum_filter1d(shown, reach, mode="wrap"))


def _road_slope(limits: CarLimits, laps: HumanLaps, moved: SpeedSlopes) -> FloatArray:
    """What the road gives along it, from the laps that were flat out there, shape (n + 1,)."""
    reach = 2 * round(_FULL_WITHIN_M / laps.step_m) + 1
    throttle_pct = laps.values[:, :, 1]
    plateau_pct = max(throttle_plateau_pct(lap) for lap in throttle_pct)
    full = minimum_filter1d(is_full_throttle(throttle_pct, plateau_pct).astype(np.float64), reach, axis=1) > 0
    surplus = moved.along_mps2 - limits.engine_mps2(laps.at_m, moved.speed_mps)
    surplus = np.where(full & moved.whole, surplus, np.nan)
    known = np.isfinite(surplus).sum(axis=0) >= max(_FEWEST, len(laps) / 4.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a place where nobody was flat out
        return np.where(known, np.nanmedian(surplus, axis=0), 0.0)


def envelope_excess_mps2(
    fitted: FittedEnvelope, speed_mps: FloatArray, along_mps2: FloatArray, across_mps2: FloatArray
) -> FloatArray:
    """Distance of accelerations from the g-g-v surface, m/s^2; zero inside it, shape as given.

    The shortest of three ways back: less of both in proportion, less along at the same across, less across at the same
    along.

    Args:
        fitted: The surface.
        speed_mps: Speed.
        along_mps2: Acceleration along.
        across_mps2: Acceleration across, not negative.
    """
    motion = Motion(speed_mps, along_mps2, across_mps2, np.zeros(speed_mps.shape, dtype=bool))
    use = np.maximum(fitted.use(motion), 1.0)
    ahead = along_mps2 >= 0
    n = np.where(ahead, fitted.forward_exponent, fitted.backward_exponent)
    most_along = np.where(ahead, fitted.forward_mps2(speed_mps), fitted.backward_mps2(speed_mps))
    most_along, most_across = np.maximum(most_along, _LEAST_MPS2), fitted.across_mps2(speed_mps)
    along = np.abs(along_mps2)
    both = np.hypot(along, across_mps2) * (1.0 - 1.0 / use)
    return np.minimum(
        both,
        np.minimum(
            _excess_over(along, most_along, across_mps2 / most_across, n),
            _excess_over(across_mps2, most_across, along / most_along, n),
        ),
    )


def _excess_over(value: FloatArray, most: FloatArray, other_share: FloatArray, n: FloatArray) -> FloatArray:
    """By how much one acceleration is more than the other leaves it; infinite where the other alone is too much."""
    left = most * np.maximum(1.0 - np.minimum(other_share, 1.0) ** n, 0.0) ** (1.0 / n)
    return np.where(other_share <= 1.0, np.maximum(value - left, 0.0), np.inf)


@dataclass(frozen=True)
class LapAccelerations:
    """Accelerations of flying laps, everywhere; each shape (rows, n).

    Attributes:
        slopes: Speed and acceleration along, on the cars' scale.
        beyond_mps2: How far they lie outside the fitted surface, the road's slope counted.
        excess_mps2: How far outside that and what human laps showed there.
    """

    slopes: SpeedSlopes
    beyond_mps2: FloatArray
    excess_mps2: FloatArray


def flying_accelerations(limits: CarLimits, at_m: FloatArray, speed_mps: FloatArray) -> LapAccelerations:
    """Accelerations of laps that follow themselves.

    Each is continued with its end before it and its beginning after it, shifted in speed where they do not meet.

    Args:
        limits: Limits.
        at_m: From the line to the line, shape (n,).
        speed_mps: Shape (rows, n).
    """
    length_m = at_m[-1] - at_m[0]
    most_m = min(_AROUND_S * float(speed_mps[:, [0, -1]].max()), length_m / 2.0)
    before = np.flatnonzero((at_m >= at_m[-1] - most_m) & (at_m < at_m[-1]))
    after = np.flatnonzero((at_m <= at_m[0] + most_m) & (at_m > at_m[0]))
    gap = speed_mps[:, -1:] - speed_mps[:, :1]
    where = np.concatenate([at_m[before] - length_m, at_m, at_m[after] + length_m])
    speed = np.concatenate([speed_mps[:, before] - gap, speed_mps, speed_mps[:, after] + gap], axis=1)
    moved = limits.slopes(where, np.maximum(speed, MIN_MPS))
    lap = slice(len(before), len(before) + len(at_m))
    inside = SpeedSlopes(moved.speed_mps[:, lap], moved.along_mps2[:, lap], moved.whole[:, lap])
    return LapAccelerations(inside, limits.beyond_mps2(where, moved)[:, lap], limits.excess_mps2(where, moved)[:, lap])
