"""The laws of the components: pieces add up, more load costs more and by the law's power, heat as declared."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.wear import COMPONENTS
from physics.wear.gearbox import sync_torque_nm
from physics.wear.suspension import static_load_n, wheel_loads_n
from tests.unit.physics.wear.histories import MASS_KG, RULES, SPEC, damage, made_up, scaled

SEEDS = st.integers(0, 10_000)
LOADS = {
    "engine": ("rpm", "engine_torque_nm"),
    "gearbox": ("input_torque_nm",),
    "brakes": ("brake_front_n", "brake_rear_n"),
    "tyres": ("tyre_n",),
    "suspension": ("wheel_load_n",),
}


@settings(max_examples=25)
@given(SEEDS, st.lists(st.integers(0, 400), max_size=5))
def test_the_pieces_of_a_stint_add_up_to_it(seed: int, cuts: list[int]) -> None:
    stint = made_up(seed)
    edges = [0, *sorted(cuts), len(stint)]
    pieces = [stint.part(a, b) for a, b in itertools.pairwise(edges)]
    assert damage(*pieces) == pytest.approx(damage(stint), rel=1e-9)


@settings(max_examples=15)
@given(SEEDS, st.floats(1.01, 1.5), st.sampled_from(COMPONENTS))
def test_harder_use_wears_faster_and_only_what_it_loads(seed: int, factor: float, component: str) -> None:
    stint = made_up(seed)
    easy, hard = damage(stint), damage(scaled(stint, factor, *LOADS[component]))
    assert hard[component] > easy[component] > 0
    assert {name for name in COMPONENTS if hard[name] != easy[name]} == {component}


@settings(max_examples=15)
@given(SEEDS, st.floats(0.5, 3.0))
def test_scale_laws(seed: int, factor: float) -> None:
    stint = made_up(seed)
    base = damage(stint)
    braked = damage(scaled(stint, factor, *LOADS["brakes"]))
    assert braked["brakes"] == pytest.approx(factor * base["brakes"])  # Archard: with the load
    slipped = damage(scaled(replace(stint, scrub_n=0.0 * stint.scrub_n), factor, "tyre_n"))
    rolled = damage(replace(stint, scrub_n=0.0 * stint.scrub_n))
    assert slipped["tyres"] == pytest.approx(factor**2 * rolled["tyres"])  # slip grows with the force as well
    swung = damage(scaled(stint, factor, "wheel_load_n"))
    assert swung["suspension"] == pytest.approx(factor**RULES.suspension.exponent * base["suspension"])


@settings(max_examples=10)
@given(SEEDS)
def test_heat_counts_as_declared(seed: int) -> None:
    stint = made_up(seed)
    hot = damage(replace(stint, engine_c=stint.engine_c + 2 * RULES.engine.doubling_k))
    assert hot["engine"] == pytest.approx(4.0 * damage(stint)["engine"])
    cool, cold = (damage(replace(stint, disc_c=np.full(len(stint), c))) for c in (RULES.brakes.threshold_c, 20.0))
    assert cool["brakes"] == cold["brakes"] < damage(stint)["brakes"]


def test_wheel_loads_balance() -> None:
    rng = np.random.default_rng(1)
    along, across = rng.uniform(-6, 4, 50), rng.uniform(-6, 6, 50)
    loads = wheel_loads_n(SPEC, MASS_KG, along, across, track_m=1.54, front_roll_share=0.55)
    assert loads.sum(axis=1) == pytest.approx(np.full(50, static_load_n(SPEC, MASS_KG).sum()))
    moved = loads - static_load_n(SPEC, MASS_KG)
    pitch = moved[:, 2:].sum(axis=1) - moved[:, :2].sum(axis=1)
    assert pitch * SPEC.wheelbase_m / 2.0 == pytest.approx(MASS_KG * SPEC.cg_height_m * along)
    roll = loads[:, [1, 3]].sum(axis=1) - loads[:, [0, 2]].sum(axis=1)
    assert roll * 1.54 / 2.0 == pytest.approx(MASS_KG * SPEC.cg_height_m * across)


def test_engaging_a_gear_takes_the_torque_of_its_inertia() -> None:
    spun = np.linspace(3_000.0, 6_000.0, 11)
    torque = sync_torque_nm(spun, 0.01, 0.05)
    assert torque[:-1] == pytest.approx(np.full(10, 0.05 * 300.0 * np.pi / 30.0 / 0.01))
    assert torque[-1] == 0.0
