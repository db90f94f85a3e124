"""A model's answer to laps, one row for each: damage per km with its interval, and the scores that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from conf.arrays import BoolArray, FloatArray, IndexArray
from conf.wear import COMPONENTS, Component
from ml.karma.dataset import KEY
from ml.karma.fitting import FittedKarma, with_previous_laps
from ml.karma.formula import karma_score, overall_karma
from ml.karma.inputs import has_all_columns
from ml.karma.model import KarmaModel

ANSWERS: Final = (
    *(f"{name}_{what}" for name in COMPONENTS for what in ("damage_per_km", "damage_per_km_low", "damage_per_km_high")),
    *(f"{name}_karma" for name in (*COMPONENTS, "overall")),
)
CHANNEL_SET: Final = "channel_set"


@dataclass(frozen=True, eq=False)
class LapsOfSet:
    """Laps that one set of inputs answers for.

    Attributes:
        name: Of the set.
        fitted: Its model.
        rows: Places of the laps in the frame, shape (n,).
        inputs: Shape (n, columns).
        before: The same with the laps before, shape (n, laps, columns).
    """

    name: str
    fitted: FittedKarma
    rows: IndexArray
    inputs: FloatArray
    before: FloatArray


def laps_by_set(laps: pd.DataFrame, is_asked: BoolArray, model: KarmaModel) -> Iterator[LapsOfSet]:
    """Each lap with the first set whose columns it has; the laps before are those that the set could see.

    Args:
        laps: Rows of ``gold.lap_features``, sorted by key, index 0 to n - 1.
        is_asked: Which laps are to be answered, shape (n,).
        model: With its sets, those that need most first.
    """
    left = is_asked.copy()
    for name, fitted in model.sets.items():
        can = has_all_columns(laps, fitted.scaling.columns) & (laps["distance_km"].astype(float) > 0).to_numpy()
        mine = np.flatnonzero(can & left)
        if not mine.size:
            continue
        seen = np.flatnonzero(can)
        inputs = np.full((len(laps), len(fitted.scaling.columns)), np.nan)
        inputs[seen] = fitted.scaling.to_inputs(laps.iloc[seen])
        before = with_previous_laps(inputs, laps, model.sequence_laps)[mine]
        yield LapsOfSet(name, fitted, mine, inputs[mine], before)
        left[mine] = False


def predict_wear(laps: pd.DataFrame, model: KarmaModel, reference: Mapping[Component, float]) -> pd.DataFrame:
    """Answer laps, in their order.

    Args:
        laps: Key, ``distance_km`` and inputs; columns that are missing count as null.
        model: What answers.
        reference: Damage per km at which a lap scores 50, by component.

    Returns:
        ``ANSWERS`` and ``channel_set``, the set of inputs that answered; null where a lap lacks an input of every set.
    """
    needed = dict.fromkeys((*KEY, "distance_km", *(c for f in model.sets.values() for c in f.scaling.columns)))
    ordered = laps.reindex(columns=list(needed)).reset_index(drop=True).sort_values(KEY)
    sorted_laps = ordered.reset_index(drop=True)
    found = pd.DataFrame(np.nan, index=sorted_laps.index, columns=list(ANSWERS))
    sets = np.full(len(found), None, dtype=object)
    for part in laps_by_set(sorted_laps, np.ones(len(sorted_laps), np.bool_), model):
        log_damage, sigma = part.fitted.answer(part.inputs, part.before)
        factor = np.exp(part.fitted.spread.reach * sigma)
        sets[part.rows] = part.name
        scores = []
        for c, component in enumerate(COMPONENTS):
            damage = np.exp(log_damage[:, c])
            scores.append(karma_score(damage, reference[component]))
            of_component = {
                "damage_per_km": damage,
                "damage_per_km_low": damage / factor[:, c],
                "damage_per_km_high": damage * factor[:, c],
                "karma": scores[-1],
            }
            for what, values in of_component.items():
                found.loc[part.rows, f"{component}_{what}"] = values
        found.loc[part.rows, "overall_karma"] = [overall_karma(row) for row in np.stack(scores, axis=1).tolist()]
    return found.assign(**{CHANNEL_SET: sets}).set_axis(ordered.index).sort_index().set_axis(laps.index)
