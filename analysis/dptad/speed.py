"""Incidents of the speed: scrubbed off in a turn, missing at a corner's exit (B16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.dptad.even_lap import DptadLap, grid_steps
from analysis.dptad.handling import TURNING_G, HandlingBalance
from analysis.dptad.rules import EventCandidate
from analysis.signals.spans import find_runs
from analysis.tracks.circuit import Circuit

_COASTING_BAR: Final = 2.0
_COASTING_PCT: Final = 10.0
_COASTING_S: Final = 0.3
_LEAST_SCRUB_KMH: Final = 1.0
LEAST_GAIN_KMH: Final = 5.0
REFERENCE_QUANTILE: Final = 0.9  # near the best, and not the one lap with a lucky reading


@dataclass(frozen=True, slots=True)
class CornerExit:
    """Speeds through one corner.

    Attributes:
        apex_kmh: Lowest speed in it.
        exit_kmh: Speed where it ends.
    """

    apex_kmh: float
    exit_kmh: float

    @property
    def gain_kmh(self) -> float:
        """Speed gained from apex to exit."""
        return self.exit_kmh - self.apex_kmh


def find_speed_scrub(lap: DptadLap, handling: HandlingBalance) -> list[EventCandidate]:
    """Find stretches of turning on neither pedal; the magnitude is the speed lost.

    Some coasting ends every braking. Tyres that slide slow a car without a brake, so the longest and steepest losses
    stand for too much angle or for waiting.
    """
    coasting = (lap.brake_bar < _COASTING_BAR) & (lap.throttle_pct < _COASTING_PCT)
    found = []
    for start, end in find_runs(coasting & (np.abs(handling.lat_g) >= TURNING_G), bridge=grid_steps(0.1)):
        speed = lap.speed_kmh[start:end]
        speed = speed[np.isfinite(speed)]
        if end - start >= grid_steps(_COASTING_S) and speed.size > 1 and speed[0] - speed[-1] >= _LEAST_SCRUB_KMH:
            found.append(EventCandidate("speed_scrub", start, float(speed[0] - speed[-1])))
    return found


def find_corner_exits(lap: DptadLap, circuit: Circuit) -> dict[int, tuple[CornerExit, int]]:
    """Speeds through each corner that lies within the lap, and the grid point of its exit, by corner number."""
    found = {}
    for corner in circuit.corners:
        if not corner.entry_m <= corner.apex_m <= corner.exit_m <= lap.distance_m[-1]:
            continue  # it reaches over the line, or the lap ends before it
        start, end = np.searchsorted(lap.distance_m, [corner.entry_m, corner.exit_m])
        inside = lap.speed_kmh[start : end + 1]
        at_exit = float(np.interp(corner.exit_m, lap.distance_m, lap.speed_kmh))
        if np.isfinite(inside).mean() >= 0.8 and np.isfinite(at_exit):
            found[corner.number] = CornerExit(float(np.nanmin(inside)), at_exit), int(end)
    return found


def calibrate_exits(laps: Sequence[Mapping[int, CornerExit]]) -> dict[int, CornerExit]:
    """Reference of each corner: high quantiles over laps; corners that one merely passes through are left out."""
    out = {}
    for number in sorted({n for lap in laps for n in lap}):
        seen = [lap[number] for lap in laps if number in lap]
        apex, exit_ = (
            float(np.quantile([getattr(one, name) for one in seen], REFERENCE_QUANTILE))
            for name in ("apex_kmh", "exit_kmh")
        )
        if exit_ - apex >= LEAST_GAIN_KMH:
            out[number] = CornerExit(apex, exit_)
    return out


def exit_efficiency(seen: CornerExit, reference: CornerExit) -> float:
    """Speed gained from apex to exit over that of the reference (section "Formulas" 3)."""
    return seen.gain_kmh / reference.gain_kmh


def find_slow_exits(lap: DptadLap, circuit: Circuit, references: Mapping[int, CornerExit]) -> list[EventCandidate]:
    """Find corner exits below the reference's speed; the magnitude is the difference.

    The efficiency alone would praise who crawls through the apex and then gains the most, so it goes with the message
    and the missing speed, which is carried down the straight, is what is judged.
    """
    found = []
    for number, (seen, index) in find_corner_exits(lap, circuit).items():
        reference = references.get(number)
        if reference is not None and seen.exit_kmh < reference.exit_kmh:
            note = f" (efficiency {exit_efficiency(seen, reference):.2f})"
            found.append(EventCandidate("corner_exit", index, reference.exit_kmh - seen.exit_kmh, note, corner=number))
    return found
