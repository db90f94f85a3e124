"""SIWTL, the smart ideal weighted target lap: a realistic best lap from a driver's own sectors (B19-B23).

The seed multiplies best sectors by weights of at most one, so that a ragged sector makes the target shorter; that
literal sum is kept beside the target. The blend of each sector's best with its mean, ``w * best + (1 - w) * mean``
(BX2), is for an even driver his best sectors, for a ragged one nearer to what he usually does, and never falls below
the sum of best sectors. Where it exceeds the best lap driven, that lap is the target: one slower than it is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.pace.driver_laps import DriverLaps, Row, null_if_nan
from analysis.pace.lap_pace import BestTime, consistency_score, find_best_time
from analysis.statistics.bootstrap import Estimate, seed_of
from analysis.statistics.lap_moments import LapMoments, ResampledLaps, estimate, estimate_if_enough, resample
from conf.arrays import FloatArray

_SECTORS: Final = (0, 1, 2)
_LAP: Final = 3  # column of the lap time, after the sectors


@dataclass(frozen=True, slots=True)
class SectorTarget:
    """One sector of the target lap.

    Attributes:
        n: Laps with a time of the sector.
        best: Best time, its lap, and the gap to the second best.
        mean_s: Mean.
        var_s2: Population variance; NaN below two laps (BX11).
        weight: ``1 / (1 + variance)`` (B20), the variance in s^2; 1 below two laps.
        potential_s: Mean less best: what a lap gains if the sector is always driven at its best.
    """

    n: int
    best: BestTime
    mean_s: Estimate
    var_s2: Estimate
    weight: Estimate
    potential_s: float


@dataclass(frozen=True, slots=True)
class Siwtl:
    """The target lap of one driver in one session; NaN where a sector has no time at all.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        n_valid_laps: Laps fit for ``target_lap`` with a sector time.
        sectors: The three sectors.
        current_best: Best lap fit for ``pace``, whether or not its sectors are known.
        blend_s: Best and mean sectors, blended.
        achievability: Geometric mean of the weights (B20), 0-1; NaN below ``MIN_LAPS`` laps in a sector.
        n_consistency_laps: Laps that the consistency is of.
        consistency: Score of the same laps' times (B22), 0-100; NaN below ``MIN_LAPS`` laps.
    """

    session_id: str
    vehicle_id: str
    n_valid_laps: int
    sectors: tuple[SectorTarget, ...]
    current_best: BestTime
    blend_s: Estimate
    achievability: Estimate
    n_consistency_laps: int
    consistency: Estimate

    @property
    def target_s(self) -> Estimate:
        """The target lap: the blend, but never slower than the best lap driven."""
        best_s = self.current_best.time_s
        if np.isnan(best_s) or np.isnan(self.blend_s.value):
            return self.blend_s
        value, low, high = (np.minimum(x, best_s) for x in (self.blend_s.value, self.blend_s.low, self.blend_s.high))
        return Estimate(float(value), float(low), float(high))

    @property
    def sum_best_sectors_s(self) -> float:
        """Sum of the best sectors: the ideal lap, which no one has to be able to drive."""
        return float(np.sum([sector.best.time_s for sector in self.sectors]))

    @property
    def seed_formula_s(self) -> float:
        """The seed's sum of best times weight, literally (B21); see the module's text for why it misleads."""
        return float(np.sum([sector.best.time_s * sector.weight.value for sector in self.sectors]))

    @property
    def potential_gain_s(self) -> float:
        """Best lap less target lap; zero where nothing faster is within reach."""
        return self.current_best.time_s - self.target_s.value

    @property
    def focus_sector(self) -> int | None:
        """Sector with the most potential (B23), from 1; ``None`` where no sector has two laps or any potential."""
        gains = [s.potential_s if s.n >= 2 else 0.0 for s in self.sectors]
        return int(np.argmax(gains)) + 1 if max(gains) > 0 else None

    @property
    def insufficient_laps(self) -> bool:
        """Whether a sector has fewer than two laps, so that its weight says nothing (BX11)."""
        return any(sector.n < 2 for sector in self.sectors)

    def row(self) -> Row:
        """Columns of ``gold.siwtl`` but for ``updated_ts`` and ``run_id``."""
        out: Row = {
            "session_id": self.session_id,
            "vehicle_id": self.vehicle_id,
            "n_valid_laps": self.n_valid_laps,
            "insufficient_laps": self.insufficient_laps,
        }
        for i, sector in enumerate(self.sectors, 1):
            out |= {
                f"n_s{i}": sector.n,
                f"best_s{i}": null_if_nan(sector.best.time_s),
                f"best_s{i}_lap": sector.best.lap_number,
                f"best_s{i}_gap_second_s": null_if_nan(sector.best.gap_second_s),
                **sector.mean_s.columns(f"mean_s{i}"),
                **sector.var_s2.columns(f"var_s{i}"),
                **sector.weight.columns(f"weight_s{i}"),
                f"sector_potential_s{i}": null_if_nan(sector.potential_s),
            }
        return out | {
            "sum_best_sectors_s": null_if_nan(self.sum_best_sectors_s),
            **self.target_s.columns("siwtl_lap"),
            "siwtl_blend_s": null_if_nan(self.blend_s.value),
            "siwtl_seed_formula_s": null_if_nan(self.seed_formula_s),
            "current_best_s": null_if_nan(self.current_best.time_s),
            "current_best_lap": self.current_best.lap_number,
            "current_best_gap_second_s": null_if_nan(self.current_best.gap_second_s),
            "potential_gain": null_if_nan(self.potential_gain_s),
            "potential_gain_seed_formula_s": null_if_nan(self.current_best.time_s - self.seed_formula_s),
            "focus_sector": self.focus_sector,
            **self.achievability.columns("achievability"),
            "n_consistency_laps": self.n_consistency_laps,
            **self.consistency.columns("consistency_score"),
        }


def compute_siwtl(laps: DriverLaps) -> Siwtl:
    """Target lap of one driver.

    Everything comes from the laps fit for ``target_lap``, but for the best lap, which is that fit for ``pace``.

    Args:
        laps: The driver's laps.
    """
    sectors = laps.sector_times_s("target_lap")
    sample = resample(np.column_stack([sectors, laps.times_s("target_lap")]), seed_of(laps.name))
    return Siwtl(
        laps.session_id,
        laps.vehicle_id,
        n_valid_laps=int(np.isfinite(sectors).any(axis=1).sum()),
        sectors=tuple(_sector_target(laps, sectors[:, i], sample, i) for i in _SECTORS),
        current_best=find_best_time(laps, laps.times_s("pace")),
        blend_s=estimate(_blend, sample, _SECTORS),
        achievability=estimate_if_enough(_achievability, sample, _SECTORS),
        n_consistency_laps=int(sample.n[_LAP]),
        consistency=estimate_if_enough(lambda m: consistency_score(m, _LAP), sample, (_LAP,)),
    )


def _sector_target(laps: DriverLaps, times_s: FloatArray, sample: ResampledLaps, i: int) -> SectorTarget:
    n, moments = int(sample.n[i]), sample.observed
    return SectorTarget(
        n,
        best=find_best_time(laps, times_s),
        mean_s=estimate(lambda m: m.mean[..., i], sample, (i,)),
        var_s2=estimate(lambda m: m.var[..., i], sample, (i,)) if n >= 2 else Estimate(np.nan),
        weight=estimate(lambda m: _weights(m)[..., i], sample, (i,)) if n >= 2 else Estimate(1.0),
        potential_s=float(moments.excess[i]),
    )


def _weights(moments: LapMoments) -> FloatArray:
    return 1.0 / (1.0 + moments.var[..., :_LAP])


def _achievability(moments: LapMoments) -> FloatArray:
    return np.asarray(np.prod(_weights(moments), axis=-1) ** (1.0 / 3.0))


def _blend(moments: LapMoments) -> FloatArray:
    # w * best + (1 - w) * mean, written so that rounding cannot take it below the sum of bests.
    above = np.sum((1.0 - _weights(moments)) * moments.excess[..., :_LAP], axis=-1)
    return np.asarray(np.sum(moments.least[:_LAP]) + above)
