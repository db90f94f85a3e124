"""Shapley values over groups of inputs: why a lap wears more or less than the median lap (Shapley, 1953).

A group's value is what putting its inputs in place of the middle lap's adds to the log damage, averaged over orders in
which groups are put in; the values of a lap add up to its whole difference from the middle lap. Orders are drawn in
pairs, one the other's reverse (Mitchell et al., 2022), the same for all laps, so that a lap has the same reasons
whatever laps it is scored with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from conf.arrays import FloatArray, IndexArray
from conf.karma import Factor

Answer = Callable[[FloatArray, FloatArray], FloatArray]  # from inputs, and inputs with the laps before, to log damage
_PAIRS: Final = 3
_WORTH_A_WORD: Final = 3.0  # %
_LAPS_AT_ONCE: Final = 128


def factor_groups(columns: Sequence[str], factors: Mapping[str, Factor]) -> dict[str, IndexArray]:
    """Places of each factor's inputs among the columns; factors that have none are left out."""
    places = {name: [i for i, c in enumerate(columns) if c in factor.inputs] for name, factor in factors.items()}
    return {name: np.array(found, np.intp) for name, found in places.items() if found}


def shapley_contributions(answer: Answer, before: FloatArray, groups: Mapping[str, IndexArray]) -> FloatArray:
    """Shapley values on log damage, shape (n_laps, groups, components).

    Args:
        answer: The model.
        before: Laps with those before them, shape (n_laps, laps, columns), as inputs: zero is the middle of training.
        groups: By name, places of inputs.
    """
    names, rng = list(groups), np.random.default_rng(0)
    orders = [order for _ in range(_PAIRS) for one in [rng.permutation(len(names))] for order in (one, one[::-1])]
    chunks = [
        _contributions_of_chunk(answer, part, [groups[name] for name in names], orders) for part in _chunks(before)
    ]
    return np.concatenate(chunks)


def _chunks(before: FloatArray) -> Iterator[FloatArray]:
    for first in range(0, max(len(before), 1), _LAPS_AT_ONCE):
        yield before[first : first + _LAPS_AT_ONCE]


def _contributions_of_chunk(
    answer: Answer, before: FloatArray, places: Sequence[IndexArray], orders: Sequence[IndexArray]
) -> FloatArray:
    """The same for some laps: all that is put in place on the way, through the model in one go."""
    n, laps, columns = before.shape
    put_in = np.zeros((len(orders), len(places) + 1, columns), np.bool_)
    for k, order in enumerate(orders):
        for step, group in enumerate(order, 1):
            put_in[k, step] = put_in[k, step - 1]
            put_in[k, step, places[group]] = True
    nothing = np.where(np.isnan(before), np.nan, 0.0)
    asked = np.where(put_in.reshape(-1, 1, 1, columns), before, nothing[None]).reshape(-1, laps, columns)
    answered = answer(asked[:, -1], asked).reshape(len(orders), len(places) + 1, n, -1)
    steps = np.diff(answered, axis=1)
    total = np.zeros((n, len(places), answered.shape[-1]))
    for k, order in enumerate(orders):
        total[:, order] += steps[k].transpose(1, 0, 2)
    return total / len(orders)


def to_percent_change(log_damage: FloatArray) -> FloatArray:
    """A change of log damage as a change of damage, %."""
    return np.asarray(100.0 * np.expm1(log_damage))


def describe_factors(ranked: Sequence[tuple[str, float]], factors: Mapping[str, Factor]) -> str:
    """Factors as a person would say them, e.g. ``kerbs and knocks +85 %, cooler brakes -6 %``."""
    said = [
        f"{factors[name].more if percent > 0 else factors[name].less} {percent:+.0f} %"
        for name, percent in ranked
        if abs(percent) >= _WORTH_A_WORD
    ]
    return ", ".join(said) or "as the middle of the laps learned from"
