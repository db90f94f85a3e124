"""Incidents of the throttle: lifts that nothing calls for, and drive that falls away under a steady foot (B14)."""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.dptad.even_lap import DptadLap, grid_steps, rolling_mean
from analysis.dptad.handling import HandlingBalance
from analysis.dptad.rules import EventCandidate
from analysis.laps.full_throttle import throttle_plateau_pct
from analysis.signals.spans import find_prominent_valleys, find_runs
from conf.arrays import BoolArray, FloatArray

_PRESSED_BAR: Final = 5.0
_LIFT_PCT: Final = 10.0
_LIFT_S: Final = 0.3
_AFTER_S: Final = 0.5
_TURN_IN_S: Final = 0.7
_SHORT_S, _SHIFT_S = 1.0, 0.2
_BEND_G: Final = 0.3
_OPEN_SHARE: Final = 0.8  # of full throttle
_STEADY_PCT: Final = 5.0
_STEADY_S: Final = 0.3
_SHIFT_BEFORE_S, _SHIFT_AFTER_S = 0.4, 0.7
_AROUND_S: Final = 0.6
_DIP_G: Final = 0.1
_SLIP: Final = 0.03


def find_throttle_candidates(lap: DptadLap, handling: HandlingBalance) -> list[EventCandidate]:
    """Needless lifts and losses of drive."""
    return [*_find_lifts(lap, handling), *_find_drive_losses(lap)]


def _find_lifts(lap: DptadLap, handling: HandlingBalance) -> list[EventCandidate]:
    """Valleys of the throttle that nothing explains; magnitude: the deepest fall within 0.3 s.

    A driver lifts to slow the car, which shows in the brake before the throttle comes back, or to turn it in, which
    shows as lateral acceleration that grows by 0.3 g or more or changes sides, from shortly before the lift on. A short
    lift goes with a change of gear. A lift with none of these, in mid-corner or on a straight, corrects something.
    """
    found = []
    shifts = np.flatnonzero(np.abs(np.diff(lap.gear)) > 0)
    throttle = lap.throttle_pct
    for bottom, depth in zip(*find_prominent_valleys(throttle, _LIFT_PCT), strict=True):
        start, end = _flanks(throttle, int(bottom), float(depth))
        near = (shifts >= start - grid_steps(_SHIFT_S)) & (shifts <= int(bottom) + grid_steps(_SHIFT_S))
        if near.any() and end - start <= grid_steps(_SHORT_S):
            continue
        if _is_lift_explained(lap.brake_bar, handling.lat_g, start, end + grid_steps(_AFTER_S)):
            continue
        fell = [
            throttle[i] - np.nanmin(throttle[i : i + grid_steps(_LIFT_S) + 1]) for i in range(start, int(bottom) + 1)
        ]
        found.append(EventCandidate("throttle_lift", start + int(np.argmax(fell)), float(max(fell))))
    return found


def _is_lift_explained(brake_bar: FloatArray, lateral_g: FloatArray, start: int, end: int) -> bool:
    """Whether a lift belongs to braking or turning in, or it cannot be told."""
    brake, lateral = brake_bar[start:end], lateral_g[max(start - grid_steps(_TURN_IN_S), 0) : end]
    known = lateral[np.isfinite(lateral)]
    if known.size == 0 or not np.isfinite(brake).any() or np.nanmax(brake) >= _PRESSED_BAR:
        return True
    along = known * (1.0 if known[0] >= 0.0 else -1.0)
    return bool(along.max() - along[0] >= _BEND_G or -along.min() >= _BEND_G)


def _flanks(x: FloatArray, bottom: int, depth: float) -> tuple[int, int]:
    """Last point before a valley and first after it that lie above its bottom by nine tenths of its depth."""
    high = x >= x[bottom] + 0.9 * depth
    return int(np.flatnonzero(high[:bottom])[-1]), bottom + int(np.flatnonzero(high[bottom:])[0])


def _find_drive_losses(lap: DptadLap) -> list[EventCandidate]:
    """Dips of the longitudinal acceleration below its surroundings at full, steady throttle; magnitude: their depth.

    With the pedal steady and one gear engaged, drive changes only slowly. A dip of tenths of a second is drive that the
    tyre lost or that the car took away. A kerb makes one too; what tells them apart is the engine: it is geared to
    the driven wheels, so its speed over the car's is constant in a gear unless the wheels slip. That ratio must vary
    by 3 % around the dip. No channel tells slip from the intervention that ends it, so both are one incident.
    """
    along = rolling_mean(lap.long_g, 3)
    around = grid_steps(_AROUND_S)
    width = 2 * around + 1
    if along.size < width:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(along, width)
    usual = np.full(along.shape, np.nan)
    usual[around:-around] = np.median(windows, axis=1)
    dip = usual - along
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = lap.rpm / lap.speed_kmh
    found = []
    for start, end in find_runs(_is_pedal_steady(lap) & (dip >= _DIP_G), bridge=grid_steps(0.2)):
        index = start + int(np.nanargmax(dip[start:end]))
        near = ratio[max(index - grid_steps(0.5), 0) : index + grid_steps(0.5) + 1]
        near = near[np.isfinite(near)]
        if near.size > grid_steps(0.5) and near.max() / near.min() - 1.0 >= _SLIP:
            found.append(EventCandidate("traction_loss", index, float(dip[index])))
    return found


def _is_pedal_steady(lap: DptadLap) -> BoolArray:
    """Where the pedal is above 80 % of full throttle and holds still, and no gear change is near."""
    reach = grid_steps(_STEADY_S)
    width = 2 * reach + 1
    ok = np.zeros(lap.t_s.shape, bool)
    if ok.size < width:
        return ok
    windows = np.lib.stride_tricks.sliding_window_view(lap.throttle_pct, width)
    open_pct = _OPEN_SHARE * throttle_plateau_pct(lap.throttle_pct)
    still = (windows.min(axis=1) > open_pct) & (np.ptp(windows, axis=1) <= _STEADY_PCT)
    ok[reach:-reach] = still
    for shift in np.flatnonzero(np.diff(lap.gear) != 0):  # true beside a gap, too
        ok[max(shift - grid_steps(_SHIFT_BEFORE_S), 0) : shift + grid_steps(_SHIFT_AFTER_S) + 1] = False
    return ok
