"""Filter the generated candidates of a stretch: which of them may join a ghost lap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.segmentation.stretches import TrackStretch
from conf.arrays import BoolArray, FloatArray
from conf.ghost import ChainingRules
from conf.reasons import ReasonCode
from ml.ghost.search.human_laps import STEPS, HumanLaps
from ml.ghost.search.limits import MIN_MPS, CarLimits


@dataclass(frozen=True)
class FilterResult:
    """The result of filtering the candidates of a stretch.

    Attributes:
        passed: Shape (m, n).
        excess_mps2: Hardest excess over the limits, infinite where a candidate is not one, shape (m, n).
        reasons: How many failed on what; a candidate is counted at the first thing that it fails on.
    """

    passed: BoolArray
    excess_mps2: FloatArray
    reasons: dict[ReasonCode, int]


class CandidateFilter:
    """Passes the candidates that a car and a driver can follow."""

    def __init__(self, limits: CarLimits, laps: HumanLaps, rules: ChainingRules) -> None:
        self._limits, self._laps, self._rules = limits, laps, rules

    @property
    def most_excess_mps2(self) -> float:
        """Most by which a candidate may leave the envelope."""
        return self._limits.rules.envelope_mps2 + self._rules.margin_mps2

    def check(self, stretch: TrackStretch, pieces: FloatArray, before: PreviousStretch | None) -> FilterResult:
        """Filter candidates.

        Args:
            stretch: The stretch.
            pieces: Candidates for each entry, of the channels of a ghost, shape (m, n, STEPS, 4).
            before: What was driven up to each entry, so that the accelerations across the junction count.
        """
        m, n = pieces.shape[:2]
        flat = pieces.reshape(m * n, STEPS, -1)
        whole = np.asarray(np.isfinite(flat).all(axis=(1, 2)) & (np.nan_to_num(flat[:, :, 0]) >= MIN_MPS).all(axis=1))
        flat = np.where(whole[:, None, None], flat, MIN_MPS)
        excess = self._excess(stretch, flat[:, :, 0], before, n)
        tests = {
            ReasonCode.CANDIDATE_NOT_WHOLE: whole,
            ReasonCode.CANDIDATE_LEAVES_ENVELOPE: excess <= self.most_excess_mps2,
            ReasonCode.CANDIDATE_BEATS_ENGINE: self._engine_n(stretch, flat[:, :, 0]) <= self._rules.engine_n,
            ReasonCode.CANDIDATE_BOTH_PEDALS: self.both_pedals_m(stretch, flat)
            <= max(self._human_m(stretch), self._rules.both_pedals_m),
        }
        passed, reasons = np.ones(m * n, dtype=bool), {}
        for code, test in tests.items():
            reasons[code] = int((passed & ~test).sum())
            passed &= test
        return FilterResult(passed.reshape(m, n), np.where(whole, excess, np.inf).reshape(m, n), reasons)

    def both_pedals_m(self, stretch: TrackStretch, pieces: FloatArray) -> FloatArray:
        """Metres of each piece with throttle and brake together, pieces of shape (k, STEPS, 4)."""
        together = self._limits.both_pedals(pieces[:, :, 1], pieces[:, :, 2])
        return np.asarray(together.sum(axis=1) * (stretch.length_m / (STEPS - 1)))

    def seam_mps2(self, last: TrackStretch, ends: FloatArray, first: TrackStretch, starts: FloatArray) -> FloatArray:
        """Excess where laps begin again: the ends of laps before their own beginnings, speeds of shape (k, STEPS)."""
        # A lap that ends faster or slower than it began would begin its next one so.
        shifted = np.maximum(starts + (ends[:, -1] - starts[:, 0])[:, None], MIN_MPS)
        return self._excess(first, shifted, PreviousStretch(last, ends), 1)

    def _engine_n(self, stretch: TrackStretch, speed_mps: FloatArray) -> FloatArray:
        """Mean force beyond the engine's while each candidate accelerates, shape (k,)."""
        energy, length = self._limits.over_engine(np.linspace(stretch.start_m, stretch.end_m, STEPS), speed_mps)
        mean = energy.sum(axis=1) / np.maximum(length.sum(axis=1), self._limits.rules.engine_over_m / 2.0)
        return np.asarray(self._limits.rules.mass_kg * mean)

    def _human_m(self, stretch: TrackStretch) -> float:
        return float(self.both_pedals_m(stretch, self._laps.passages(stretch)).max())

    def _excess(
        self, stretch: TrackStretch, speed_mps: FloatArray, before: PreviousStretch | None, n: int
    ) -> FloatArray:
        """Hardest excess of each candidate and of the half second before it, shape (m * n,)."""
        at = np.linspace(stretch.start_m, stretch.end_m, STEPS)
        if before is not None:
            behind = np.linspace(before.stretch.start_m, before.stretch.end_m, STEPS)[:-1]
            over_the_line = self._limits.length_m if before.stretch.start_m > stretch.start_m else 0.0
            at = np.concatenate([behind - over_the_line, at])
            speed_mps = np.concatenate([np.repeat(before.speed_mps[:, :-1], n, axis=0), speed_mps], axis=1)
        moved = self._limits.slopes(at, speed_mps)
        return np.asarray(np.nan_to_num(self._limits.excess_mps2(at % self._limits.length_m, moved)).max(axis=1))


@dataclass(frozen=True)
class PreviousStretch:
    """The previous stretch, as driven up to each entry.

    Attributes:
        stretch: It.
        speed_mps: Shape (m, STEPS).
    """

    stretch: TrackStretch
    speed_mps: FloatArray
