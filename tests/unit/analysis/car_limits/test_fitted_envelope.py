"""Envelopes learnt from how cars moved: from a car that is known, and from real races."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.car_limits.fitted_envelope import FEWEST, EnvelopeError, FittedEnvelope, fit_envelope, quantile_regression
from analysis.car_limits.motion import Motion, compute_motion, join_motions, scale_line
from analysis.laps.distance import driven_length_m
from analysis.track_build.from_positions import build_from_positions
from physics.centre_line import Line
from physics.limit_lap.lap import solve_limit_lap
from tests.unit.analysis import real_laps


def made(n: int = 6_000, seed: int = 1) -> Motion:
    """Instants of a car whose surface is 12 + 0.001 v^2 across, 9 backward, 60 / v forward, joined as ellipses."""
    rng = np.random.default_rng(seed)
    v, share = rng.uniform(18, 50, n), rng.beta(5, 1, n)
    angle = rng.choice([0.0, 0.3, 0.8, 1.2, np.pi / 2], n) + rng.uniform(0, 0.1, n)
    ahead = rng.random(n) < 0.5
    most = np.where(ahead, 60 / v, 9.0)
    share = np.where(ahead, 1.0, share)  # the engine gives what it gives
    along = np.where(ahead, 1.0, -1.0) * most * np.abs(np.cos(angle)) * share
    across = (12 + 0.001 * v * v) * np.abs(np.sin(angle)) * share
    noise = rng.normal(0, 0.05, n)
    return Motion(v, along + noise, across, ahead)


def test_a_known_surface_comes_back() -> None:
    fitted = fit_envelope(made())
    v = np.array([20.0, 30.0, 45.0])
    assert fitted.across_mps2(v) == pytest.approx(12 + 0.001 * v * v, rel=0.03)
    assert fitted.backward_mps2(v) == pytest.approx(np.full(3, 9.0), rel=0.04)
    assert fitted.forward_mps2(v) == pytest.approx(60 / v, rel=0.04)
    assert fitted.forward_exponent == pytest.approx(2.0, abs=0.3)


def test_a_few_wild_readings_do_not_move_it() -> None:
    clean, wild = made(), made()
    struck = np.random.default_rng(2).choice(len(wild), 30, replace=False)
    along = wild.along_mps2.copy()
    along[struck] = -40.0
    fitted = [fit_envelope(m, 0.95) for m in (clean, replace(wild, along_mps2=along))]
    v = np.array([25.0, 40.0])
    assert fitted[1].backward_mps2(v) == pytest.approx(fitted[0].backward_mps2(v), rel=0.05)


def test_the_edge_is_one() -> None:
    motion = made()
    use = fit_envelope(motion).use(motion)
    assert np.quantile(use, 0.5) <= 1.05
    assert np.quantile(use, 0.999) < 1.3


@given(st.floats(0.6, 0.98), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_quantile_has_its_share_below(quantile: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(10, 60, 400)
    y = 5 + 0.002 * x * x + rng.normal(0, 1, 400)
    terms = np.column_stack([np.ones_like(x), x * x])
    below = np.mean(y <= terms @ quantile_regression(terms, y, quantile, (False, False)) + 1e-9)
    assert quantile - 0.01 <= below <= quantile + 0.02


@pytest.mark.parametrize("missing", ["cornering", "braking", "full throttle"])
def test_a_state_too_rare_is_named(missing: str) -> None:
    motion = made()
    index = {
        "cornering": np.flatnonzero(motion.across_mps2 < 3.0),
        "braking": np.flatnonzero(motion.along_mps2 > -0.5),
        "full throttle": np.flatnonzero(~motion.full_throttle),
    }[missing]
    with pytest.raises(EnvelopeError, match=rf"no {missing}|instants at {missing}.*{FEWEST}"):
        fit_envelope(motion.take(index))


def test_nothing_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="no instant"):
        fit_envelope(made().take(np.array([], dtype=np.intp)))


def of_race(name: str, data_dir: Path) -> tuple[Motion, Line, float]:
    laps = getattr(real_laps, name)(data_dir)
    circuit = build_from_positions([lap.trace() for lap in laps], name).circuit
    traces = [lap.trace(circuit) for lap in laps]
    line = scale_line(circuit.line, float(np.median([driven_length_m(trace) for trace in traces])))
    return join_motions([compute_motion(trace, line) for trace in traces]), line, min(lap.lap_time_s for lap in laps)


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_a_real_limit_is_a_little_faster_than_the_best_human(race: str, data_dir: Path) -> None:
    motion, line, best_s = of_race(race, data_dir)
    fitted = {q: fit_envelope(motion, q) for q in (0.9, 0.98)}
    times = {q: solve_limit_lap(f.envelope(), line).lap_time_s for q, f in fitted.items()}
    assert times[0.98] < times[0.9]
    assert 0.96 < times[0.98] / best_s < 1.0
    assert_is_a_race_car(fitted[0.98])


def assert_is_a_race_car(fitted: FittedEnvelope) -> None:
    v = np.array([25.0, 40.0])
    assert (fitted.across_mps2(v) > 9.0).all()
    assert (fitted.across_mps2(v) < 18.0).all()
    assert (fitted.backward_mps2(v) > 7.0).all()
    assert (fitted.backward_mps2(v) < 15.0).all()
    forward = fitted.forward_mps2(v)
    assert 5.0 > forward[0] > forward[1] > 0.5
