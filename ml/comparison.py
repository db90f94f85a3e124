"""The verdict on a candidate beside the model in use, in one form for all models."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.statistics.bootstrap import Estimate


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Candidate against incumbent on the same rows, which neither learned from.

    Attributes:
        difference: Candidate's figure less the incumbent's, with its 95 % interval; NaN where there is too little.
        groups: Cars, vehicles or laps that were drawn for the interval.
        is_better: Whether the whole interval lies on the better side of zero.
        reason: The verdict in words, with the figure and its interval.
    """

    difference: Estimate
    groups: int
    is_better: bool
    reason: str

    def metrics(self) -> dict[str, float]:
        """Flat names and values, as a tracker logs them."""
        found = self.difference
        return {"promotion.difference": found.value, "promotion.low": found.low, "promotion.high": found.high}
