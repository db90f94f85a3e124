"""Rainflow counting: the standard's own example, and any way of cutting a history."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physics.rainflow import RainflowCounter

LOADS = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), max_size=80)


def counted(pieces: list[list[float]]) -> Counter[float]:
    """Cycles by range, half cycles of the residue included."""
    flow, count = RainflowCounter(), Counter()
    for piece in pieces:
        for size in flow.add(np.array(piece)):
            count[round(float(size), 9)] += 1.0
    for size in flow.open_ranges:
        count[round(float(size), 9)] += 0.5
    return count


def test_the_example_of_astm_e1049() -> None:
    """Figure 6 and its table: ranges 3, 4, 6, 8, 9 with 0.5, 1.5, 0.5, 1.0, 0.5 cycles."""
    assert counted([[-2, 1, -3, 5, -1, 3, -4, 4, -2]]) == {3: 0.5, 4: 1.5, 6: 0.5, 8: 1.0, 9: 0.5}


def test_points_on_the_way_count_for_nothing() -> None:
    dense = np.interp(np.arange(0, 8.01, 0.125), np.arange(9), [-2, 1, -3, 5, -1, 3, -4, 4, -2])
    assert counted([list(dense)]) == counted([[-2, 1, -3, 5, -1, 3, -4, 4, -2]])


@given(LOADS, st.lists(st.integers(0, 80), max_size=6))
def test_where_a_history_is_cut_does_not_matter(load: list[float], cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(load)) for cut in cuts), len(load)]
    pieces = [load[a:b] for a, b in itertools.pairwise(edges)]
    assert counted(pieces) == counted([load])


@given(LOADS)
def test_upside_down_it_is_the_same(load: list[float]) -> None:
    assert counted([load]) == counted([[-x for x in load]])


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match=r"load\[1\] is not finite"):
        RainflowCounter().add(np.array([1.0, np.nan]))
