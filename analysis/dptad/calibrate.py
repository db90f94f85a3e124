"""Calibrate thresholds on laps: what is usual on a track is measured there and then fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from analysis.dptad.even_lap import DptadLap, resample_to_grid
from analysis.dptad.events import find_candidates, find_events
from analysis.dptad.handling import HandlingBalance, assess_handling
from analysis.dptad.rules import CATEGORIES, RULES, Category, DptadRule
from analysis.dptad.smoothness import measure_roughness
from analysis.dptad.speed import calibrate_exits, find_corner_exits
from analysis.dptad.thresholds import DEFAULT_SCALES, UNCALIBRATED, RoughnessScale, Thresholds
from analysis.laps.features import DeltaThresholds, channel_delta_rates
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.errors import InputError

FEWEST_LAPS: Final = 5
_FEWEST_CANDIDATES: Final = 20  # below, a 95th percentile is one candidate's magnitude
_DELTA_QUANTILE: Final = 0.99
_ROUGH_QUANTILE: Final = 0.95
_NARROWEST: Final = 1.15  # rough over usual: laps of one driver differ less, and are not all rough for it


@dataclass(frozen=True, eq=False)
class _LapFigures:
    lap: DptadLap
    handling: HandlingBalance


def calibrate_thresholds(
    laps: Sequence[LapTrace],
    track_id: str,
    version: int,
    circuit: Circuit | None = None,
    sessions: Sequence[str] = (),
) -> Thresholds:
    """Calibrate thresholds on laps of one track by one type of car.

    Give laps driven in earnest: no pit laps, no laps behind a safety car. Incidents in some of them do no harm, because
    everything is a quantile.

    Args:
        laps: At least ``FEWEST_LAPS``.
        track_id: Track.
        version: From 1; a new one whenever the laps change.
        circuit: For the references of the corner exits.
        sessions: Where the laps are from.

    Raises:
        InputError: If there are too few laps, or one covers no distance.
        ValueError: If the version is below 1.
    """
    if len(laps) < FEWEST_LAPS:
        raise InputError(f"{len(laps)} laps of {track_id}: quantiles need at least {FEWEST_LAPS}; gather more laps")
    if version <= UNCALIBRATED:
        raise ValueError(f"version {version}: calibrated thresholds have a version from 1")
    grids = [resample_to_grid(lap) for lap in laps]
    if (still := next((i for i, lap in enumerate(grids) if lap.length_km <= 0.0), None)) is not None:
        raise InputError(f"laps[{still}] covers no distance: leave it out, or give its distance_m")
    seen = [_LapFigures(lap, assess_handling(lap)) for lap in grids]
    speeds = (
        []
        if circuit is None
        else [{n: one for n, (one, _) in find_corner_exits(lap, circuit).items()} for lap in grids]
    )
    draft = Thresholds(
        track_id=track_id,
        version=version,
        deltas=_deltas(laps, version),
        scales=_scales(seen),
        exits=calibrate_exits(speeds),
        n_laps=len(laps),
        sessions=tuple(sessions),
    )
    draft = replace(draft, limits=_limits(seen, circuit, draft))
    return replace(draft, events_per_km=_events_per_km(seen, circuit, draft))


def _deltas(laps: Sequence[LapTrace], version: int) -> DeltaThresholds:
    """The 99th percentile of the rates on the 10 Hz grid, each in the direction that is counted."""
    defaults = DeltaThresholds()

    def percentile(name: str, sign: float | None, default: float) -> float:
        rates = [channel_delta_rates(lap.t_s, lap.channels[name]) for lap in laps if name in lap.channels]
        pooled = np.concatenate(rates) if rates else np.empty(0)
        if pooled.size == 0:
            return default
        value = float(np.quantile(np.abs(pooled) if sign is None else sign * pooled, _DELTA_QUANTILE))
        return value if value > 0.0 else default

    return DeltaThresholds(
        percentile("brake_front_bar", 1.0, defaults.brake_spike_bar_per_s),
        percentile("throttle_pct", -1.0, defaults.throttle_drop_pct_per_s),
        percentile("steering_deg", None, defaults.steering_deg_per_s),
        version,
    )


def _scales(seen: Sequence[_LapFigures]) -> dict[Category, RoughnessScale]:
    values = [measure_roughness(one.lap, one.handling) for one in seen]
    return {
        category: _scale(np.array([v[category] for v in values]), DEFAULT_SCALES[category]) for category in CATEGORIES
    }


def _scale(values: FloatArray, default: RoughnessScale) -> RoughnessScale:
    known = values[np.isfinite(values) & (values > 0.0)]
    if known.size < FEWEST_LAPS:
        return default
    usual, rough = np.quantile(known, [0.5, _ROUGH_QUANTILE]).tolist()
    return RoughnessScale(usual, max(rough, _NARROWEST * usual))


def _limits(seen: Sequence[_LapFigures], circuit: Circuit | None, draft: Thresholds) -> dict[str, float]:
    found = [one for s in seen for one in find_candidates(s.lap, s.handling, circuit, draft)]
    return {rule.name: _limit(rule, np.array([c.magnitude for c in found if c.rule == rule.name])) for rule in RULES}


def _limit(rule: DptadRule, magnitudes: FloatArray) -> float:
    if magnitudes.size < _FEWEST_CANDIDATES:
        return rule.default
    return float(np.clip(np.quantile(magnitudes, rule.quantile), rule.low, rule.high))


def _events_per_km(seen: Sequence[_LapFigures], circuit: Circuit | None, draft: Thresholds) -> dict[Category, float]:
    """The 95th percentile over laps, at least one event a lap: a rarer one must not count in full."""
    per_lap = [(find_events(one.lap, one.handling, circuit, draft), one.lap.length_km) for one in seen]
    least = 1.0 / float(np.median([km for _, km in per_lap]))
    return {
        category: max(
            float(
                np.quantile([sum(e.category == category for e in found) / km for found, km in per_lap], _ROUGH_QUANTILE)
            ),
            least,
        )
        for category in CATEGORIES
    }
