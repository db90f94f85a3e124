"""Quality of a wear model on unseen cars and tracks, and comparison with another model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from analysis.statistics.bootstrap import Estimate, draw_counts, draw_indices, percentile_interval
from conf.arrays import FloatArray
from conf.karma import KarmaRules
from conf.wear import COMPONENTS, Component
from ml.comparison import ModelComparison
from ml.karma.dataset import TEST, TRAIN, KarmaDataset
from ml.karma.factors import factor_groups, shapley_contributions
from ml.karma.fitting import FittedKarma, with_previous_laps
from ml.karma.model import KarmaModel

LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_DRAWS: Final = 2_000
_FEWEST_CARS: Final = 6
_TIE: Final = 0.005  # difference of R2 under which algorithms are as good as each other


@dataclass(frozen=True, eq=False)
class KarmaEvaluation:
    """Figures of one set of inputs on laps that were kept aside.

    Attributes:
        true: Log damage per km, shape (n_laps, components).
        predicted: The same by the model.
        sigma: Its standard deviation, as the model has it.
        r2: By component.
        r2_rule: Of the line through one feature, by component.
        mae: Mean size of the error of log damage.
        coverage: Share of laps within the interval.
        nominal: Share that the interval is to hold.
        observed: Share of laps within central intervals of ``LEVELS``, shape (levels, components).
        r2_left_out: As the training itself saw it, on tracks left out.
        r2_draws: R2 in each draw of the cars, shape (draws, components); ``None`` with too few cars for an interval.
        cars: Cars that the laps are of.
    """

    true: FloatArray
    predicted: FloatArray
    sigma: FloatArray
    r2: FloatArray
    r2_rule: FloatArray
    mae: FloatArray
    coverage: FloatArray
    nominal: float
    observed: FloatArray
    r2_left_out: FloatArray
    r2_draws: FloatArray | None
    cars: int

    def estimate(self, component: int) -> Estimate:
        """R2 of a component with its interval."""
        value = float(self.r2[component])
        return Estimate(value) if self.r2_draws is None else percentile_interval(value, self.r2_draws[:, component])

    def metrics(self, name: str) -> dict[str, float]:
        """By name, as a tracker logs them."""
        found = {
            "r2": self.r2,
            "r2_rule": self.r2_rule,
            "mae_log": self.mae,
            "coverage": self.coverage,
            "r2_left_out": self.r2_left_out,
        }
        flat = {
            f"{name}.{what}.{component}": float(values[c])
            for what, values in found.items()
            for c, component in enumerate(COMPONENTS)
        }
        for c, component in enumerate(COMPONENTS):
            r2 = self.estimate(c)
            flat |= {f"{name}.r2.{component}_low": r2.low, f"{name}.r2.{component}_high": r2.high}
        return flat


def mean_r2(evaluations: Iterable[KarmaEvaluation]) -> Estimate:
    """Mean R2 over sets and components, on the same laps, with its interval."""
    found = list(evaluations)
    value = float(np.mean([one.r2 for one in found]))
    draws = [one.r2_draws.mean(axis=1) for one in found if one.r2_draws is not None]
    return percentile_interval(value, np.mean(draws, axis=0)) if len(draws) == len(found) else Estimate(value)


def component_r2(true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Share of the variance that is explained, by component."""
    return np.asarray(1.0 - ((true - predicted) ** 2).mean(axis=0) / true.var(axis=0))


def _draw_r2(true: FloatArray, predicted: FloatArray, car: npt.NDArray[np.integer[Any]]) -> FloatArray | None:
    """R2 in draws of cars with replacement, shape (draws, components)."""
    n = int(car.max()) + 1
    if n < _FEWEST_CARS:
        return None
    drawn = draw_counts(n, _DRAWS, np.random.default_rng(0))
    laps = (drawn @ np.bincount(car))[:, None]
    centred = true - true.mean(axis=0)  # else the variance is a small difference of large sums
    of_car = [
        np.stack([np.bincount(car, column, n) for column in values.T], axis=1)
        for values in ((true - predicted) ** 2, centred, centred**2)
    ]
    error, first, second = (drawn @ sums / laps for sums in of_car)
    return np.asarray(1.0 - error / (second - first**2))


def evaluate_karma(
    fitted: FittedKarma, data: KarmaDataset, rules: KarmaRules, sequence_laps: int, part: str = TEST
) -> KarmaEvaluation:
    """Evaluate a fit on the held-out laps, or on those of another part.

    Args:
        fitted: Trained on the training laps.
        data: Laps with labels.
        rules: Name the one feature of the rule.
        sequence_laps: Laps that the recurrent learner sees.
        part: Of the data set.
    """
    laps, damage = data.part(part)
    true = np.log(damage)
    predicted, sigma = fitted.predict(laps, sequence_laps)
    size = np.abs(true - predicted)
    car = laps.groupby(["session_id", "vehicle_id"]).ngroup().to_numpy()
    within = np.stack([(size <= norm.ppf(0.5 + level / 2) * sigma).mean(axis=0) for level in LEVELS])
    return KarmaEvaluation(
        true,
        predicted,
        sigma,
        component_r2(true, predicted),
        component_r2(true, predict_by_rule(data, rules, part)),
        size.mean(axis=0),
        (size <= fitted.spread.reach * sigma).mean(axis=0),
        rules.interval,
        within,
        fitted.r2,
        _draw_r2(true, predicted, car),
        int(car.max()) + 1,
    )


def predict_by_rule(data: KarmaDataset, rules: KarmaRules, part: str = TEST) -> FloatArray:
    """Log damage of a part's laps, by a line through the logarithm of one feature, shape (n, components)."""
    (laps, damage), (aside, _) = data.part(TRAIN), data.part(part)
    columns = []
    for c, component in enumerate(COMPONENTS):
        x, x_aside = (np.log(frame[rules.rule[component]].astype(np.float64)) for frame in (laps, aside))
        columns.append(np.polyval(np.polyfit(x, np.log(damage[:, c]), 1), x_aside))
    return np.stack(columns, axis=1)


def factor_importances(fitted: FittedKarma, laps: pd.DataFrame, rules: KarmaRules, sequence_laps: int) -> pd.DataFrame:
    """Mean size of each factor's Shapley value on log damage: one row a factor, one column a component."""
    inputs = fitted.scaling.to_inputs(laps)
    groups = factor_groups(fitted.scaling.columns, rules.factors)
    before = with_previous_laps(inputs, laps, sequence_laps)
    values = shapley_contributions(lambda one, more: fitted.answer(one, more)[0], before, groups)
    return pd.DataFrame(np.abs(values).mean(axis=0), index=list(groups), columns=list(COMPONENTS))


def compare_karma_models(
    candidate: KarmaModel, incumbent: KarmaModel, laps: pd.DataFrame, damage: FloatArray, seed: int = 0
) -> ModelComparison:
    """Whether a candidate explains more of frozen laps: mean R2 over components and the sets that both have.

    Cars are drawn with replacement, the same for both, so that what they have in common cancels out. A candidate that
    has a set which the model in use lacks must still be better on the others.

    Args:
        candidate: The new model.
        incumbent: The one in use.
        laps: Laps of the promotion set.
        damage: Damage per km, shape (n_laps, components).
        seed: Of the draws.
    """
    shared = [name for name in candidate.sets if name in incumbent.sets]
    cars = laps.groupby(["session_id", "vehicle_id"]).ngroup().to_numpy()
    n = int(cars.max()) + 1 if len(cars) else 0
    if n < _FEWEST_CARS or not shared:
        why = f"{n} cars to compare on, and {_FEWEST_CARS} are needed" if shared else "it has other sets of inputs"
        return ModelComparison(Estimate(np.nan), n, False, f"not compared: {why}")
    true = np.log(damage)
    errors = [
        np.stack([(true - model.sets[name].predict(laps, model.sequence_laps)[0]) ** 2 for name in shared]).mean(axis=0)
        for model in (candidate, incumbent)
    ]
    gain = (errors[1] - errors[0]) / true.var(axis=0)
    of_car = np.array([gain[cars == car].sum(axis=0) for car in range(n)]).mean(axis=1)
    laps_of = np.bincount(cars, minlength=n)
    drawn = draw_indices(n, _DRAWS, np.random.default_rng(seed))
    differences = of_car[drawn].sum(axis=1) / laps_of[drawn].sum(axis=1)
    found = percentile_interval(float(of_car.sum() / laps_of.sum()), differences)
    verdict = {1: "better", 0: "not told apart", -1: "worse"}[found.sign]
    return ModelComparison(found, n, found.sign > 0, f"{verdict}: mean R2 {found.text('+.4f')} on {n} cars")


def choose_best_algorithm(r2: dict[str, Sequence[FloatArray]]) -> str:
    """Name of the best by its mean R2 on tracks left out of its training, over sets and components.

    Of those that cannot be told apart the first is taken, and the simplest come first: a forest between whose leaves
    nothing is made up spreads a mishap less over components that it does not touch. The laps kept aside have no say in
    it: what is chosen on them could not be judged on them.

    Args:
        r2: By name, simplest first, R2 of each set by component.
    """
    means = {name: float(np.mean(found)) for name, found in r2.items()}
    least = max(means.values()) - _TIE
    return next(name for name, mean in means.items() if mean >= least)


def component_rows(evaluation: KarmaEvaluation) -> list[dict[str, object]]:
    """One row a component."""
    names: tuple[Component, ...] = COMPONENTS
    return [
        {
            "component": name,
            "r2": round(float(evaluation.r2[c]), 4),
            "r2_rule": round(float(evaluation.r2_rule[c]), 4),
            "mae_log": round(float(evaluation.mae[c]), 4),
            "coverage": round(float(evaluation.coverage[c]), 4),
        }
        for c, name in enumerate(names)
    ]
