"""Miner's rule: scale laws, growth, additivity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.wear import SNCurve
from physics.wear.miner import MinerDamage

LOADS = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=60)
EXPONENTS = st.floats(1.0, 9.0)


def total(load: np.ndarray, exponent: float, cycles: float = 1e6) -> float:
    out = MinerDamage(SNCurve(exponent=exponent, cycles=cycles), 50.0)
    out.add(load)
    return out.total


def test_a_life_at_the_reference_is_so_many_cycles() -> None:
    swings = np.tile([0.0, 50.0], 1_001)[:-1]  # 1,000 swings up and down again
    assert total(swings, 5.0, cycles=1_000.0) == pytest.approx(1.0)


@given(LOADS, EXPONENTS, st.floats(0.1, 4.0))
def test_a_larger_load_costs_by_the_exponent(load: list[float], exponent: float, factor: float) -> None:
    once = total(np.array(load), exponent)
    assert total(factor * np.array(load), exponent) == pytest.approx(factor**exponent * once, rel=1e-6, abs=1e-300)


def test_twice_the_swing_costs_two_to_the_exponent() -> None:
    swings = np.tile([10.0, 30.0], 20)
    assert total(2.0 * swings, 6.0) == pytest.approx(2.0**6 * total(swings, 6.0))


@given(LOADS, EXPONENTS)
def test_damage_never_falls(load: list[float], exponent: float) -> None:
    damage = MinerDamage(SNCurve(exponent=exponent, cycles=1e6), 50.0)
    steps = [damage.add(np.array([x])) for x in load]
    assert min(steps) >= -1e-12 * max(damage.total, 1e-300)
    assert sum(steps) == pytest.approx(damage.total, rel=1e-9, abs=1e-300)
    assert damage.total == pytest.approx(total(np.array(load), exponent), rel=1e-9, abs=1e-300)


@given(LOADS, EXPONENTS)
def test_the_mean_does_not_matter(load: list[float], exponent: float) -> None:
    assert total(np.array(load) + 64.0, exponent) == pytest.approx(total(np.array(load), exponent), rel=1e-6, abs=1e-30)
