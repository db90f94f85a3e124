"""The figures of an evaluation of OBD recipes, as values that can be printed, logged as JSON or plotted."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd

from analysis.statistics.bootstrap import Estimate

POOLED = "pooled"


@dataclass(frozen=True)
class HeldOutScore:
    """A recipe on a trip that it never saw; `window_rows` were chosen without that trip."""

    recipe: str
    trip: str
    auc: Estimate
    pr_auc: Estimate
    prevalence: float
    n_rows: int
    window_rows: tuple[int, ...]


@dataclass(frozen=True)
class RecipeGain:
    """Recipe minus baseline on the same draws of blocks; `pooled` is the mean over trips, each weighing the same."""

    recipe: str
    trip: str
    auc: Estimate
    pr_auc: Estimate


@dataclass(frozen=True)
class RandomSplit:
    """The flattering figure: a quarter of all windows drawn at random, the rest to train on."""

    recipe: str
    auc: float
    pr_auc: float


@dataclass(frozen=True)
class TripFacts:
    """What the data say of themselves.

    Attributes:
        cuts: places where the file jumps in time.
        drives: drives found.
        agreement_stored: share of rows whose stored 60 s mean speed fits the 60 rows above, as the file stands.
        agreement_driven: the same in the restored order.
        rpm_spread_auc: AUC of one number, the standard deviation of engine speed over so many rows, without any
            model. Near 1 means that the label is next to a threshold on it.
    """

    trip: str
    cuts: int
    drives: int
    agreement_stored: float
    agreement_driven: float
    rpm_spread_auc: dict[int, float]


@dataclass(frozen=True)
class ObdReport:
    """All figures of an evaluation; `scores` feeds the plots: recipe, trip, row, drive, probability, aggressive."""

    held_out: list[HeldOutScore]
    gains: list[RecipeGain]
    random_split: list[RandomSplit]
    trips: list[TripFacts]
    block_rows: int
    n_resamples: int
    seed: int
    scores: pd.DataFrame = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The figures without the scores, ready for JSON."""
        figures = asdict(replace(self, scores=pd.DataFrame()))
        del figures["scores"]
        return figures

    def to_json(self) -> str:
        """The figures as JSON; a figure that is not defined is null."""
        return json.dumps(_finite(self.to_dict()), indent=2, allow_nan=False)

    def gain(self, recipe: str, trip: str = POOLED) -> RecipeGain:
        """Gain of a recipe on a trip, or pooled."""
        return next(gain for gain in self.gains if (gain.recipe, gain.trip) == (recipe, trip))

    def table(self) -> pd.DataFrame:
        """One line a recipe and trip: AUC, PR-AUC, random-split AUC and the gain over the baseline, as text."""
        random = {one.recipe: one.auc for one in self.random_split}
        gains = {(one.recipe, one.trip): str(one.auc) for one in self.gains}
        return pd.DataFrame(
            {
                "recipe": one.recipe,
                "trip": one.trip,
                "windows": "+".join(map(str, one.window_rows)),
                "auc": str(one.auc),
                "pr_auc": str(one.pr_auc),
                "prevalence": round(one.prevalence, 3),
                "auc_random_split": round(random[one.recipe], 3),
                "auc_gain": gains.get((one.recipe, one.trip), ""),
            }
            for one in self.held_out
        )


def _finite(value: Any) -> Any:
    """The same structure with NaN and infinities as None: JSON knows neither."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
