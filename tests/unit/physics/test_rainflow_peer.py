"""Rainflow counting against the package ``rainflow``, the three-point form of ASTM E1049."""

from __future__ import annotations

from collections import Counter

import numpy as np
import rainflow
from hypothesis import assume, given

from tests.unit.physics.test_rainflow import LOADS, counted


@given(LOADS)
def test_it_counts_as_the_published_package_does(load: list[float]) -> None:
    """The three-point form of the standard gives the same counts."""
    assume(np.count_nonzero(np.diff(np.sign([d for d in np.diff(load) if d]))))  # theirs wants a turn
    theirs: Counter[float] = Counter()
    for size, _, count, *_ in rainflow.extract_cycles(load):
        theirs[round(float(size), 9)] += count
    theirs.pop(0.0, None)
    ours = counted([load])
    assert ours == theirs
