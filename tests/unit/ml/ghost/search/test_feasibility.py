"""A lap that the car could drive is let through; each thing that it could not do is found, named and placed."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.car_limits.fitted_envelope import EnvelopeCurve
from ml.ghost.search.feasibility import check_feasibility
from ml.ghost.search.ghost_lap import GhostLap
from ml.ghost.search.limits import envelope_excess_mps2
from physics.limit_lap.lap import solve_limit_lap
from tests.unit.ml.ghost.search.made_ghosts import BOX, RULES, driven, fitted, ghost, laps, limits, line


def changed(**columns: np.ndarray) -> np.ndarray:
    values = laps().values[1].copy()
    for name, column in columns.items():
        values[:, ("speed", "throttle", "brake", "steering").index(name)] = column
    return values


def hill(at: int, width: int, height_mps: float) -> np.ndarray:
    speed = laps().values[1, :, 0].copy()
    speed[at - width : at + width] += height_mps * np.hanning(2 * width)
    return speed


def pushed() -> GhostLap:
    """Grip to spare, and 0.2 m/s^2 more than the engine of the laps' median: less than the envelope tolerates."""
    strong = replace(fitted(0.7), forward=EnvelopeCurve((0.88 * 60.0, 0.88 * 0.0004, 0.2), 15.0, 80.0))
    return ghost(driven(solve_limit_lap(strong.envelope(), line()).speed_mps, line().step_m))


def test_a_lap_within_the_limits_is_feasible() -> None:
    found = check_feasibility(ghost())
    assert found.feasible, found.notes
    assert found.notes == ()
    assert found.figures["envelope_excess_mps2"] <= RULES.feasibility.envelope_mps2
    assert found.figures["over_limit_s"] > 0
    assert 0.8 < found.figures["max_lat_g"] < 2.0


@pytest.mark.parametrize(
    ("made", "says", "place_m"),
    [
        (lambda: ghost(changed(speed=hill(900, 25, 6.0))), r"At (\d+) m the ghost takes .* than the car showed", 900),
        (lambda: ghost(gap_kmh=4.2), r"At (\d+) m, where two stretches meet, the speed jumps by 4\.2 km/h", None),
        (pushed, r"From (\d+) to \d+ m the ghost gains speed as if the engine pushed a car of 1200 kg", None),
        (
            lambda: ghost(changed(throttle=np.full(len(laps().at_m), 100.0), brake=np.full(len(laps().at_m), 20.0))),
            r"throttle and brake together over \d+ m, first at (\d+) m; no human lap does over more than 20 m",
            0,
        ),
        (
            lambda: replace(ghost(), limits=replace(limits(), gearbox=replace(BOX, rpm_high=np.full(3, 5000.0)))),
            r"At (\d+) m the engine would turn \d+/min faster in gear \d than in any human lap",
            None,
        ),
        (lambda: ghost(changed(speed=laps().speed_mps[1] * 1.2)), r"s faster than the limit lap", None),
        (lambda: ghost(changed(steering=np.where(laps().at_m > 500, np.nan, 0.0))), r"has no value at (\d+) m", 501),
    ],
    ids=["envelope", "gap", "engine", "pedals", "gears", "limit", "holes"],
)
def test_each_thing_it_could_not_do_is_named(made: object, says: str, place_m: float | None) -> None:
    found = check_feasibility(made())  # type: ignore[operator]
    assert not found.feasible
    matched = [m for note in found.notes if (m := re.search(says, note))]
    assert len(matched) == 1, found.notes
    if place_m is not None:
        assert float(matched[0].group(1)) == pytest.approx(place_m, abs=60.0)
    assert all(note.endswith(".") for note in found.notes)


def test_the_engine_is_found_out_where_the_envelope_is_not() -> None:
    found = check_feasibility(pushed())
    assert found.figures["envelope_excess_mps2"] <= RULES.feasibility.envelope_mps2
    assert found.figures["engine_excess_n"] > RULES.feasibility.engine_n


def test_without_a_gearbox_it_says_so_and_may_still_be_driven() -> None:
    found = check_feasibility(replace(ghost(), limits=replace(limits(), gearbox=None)))
    assert found.feasible
    assert "no gear or engine speed" in found.notes[0]


@given(st.floats(15.0, 60.0), st.floats(0.0, 6.3), st.floats(0.0, 2.0))
@settings(deadline=None)
def test_distance_from_the_surface(speed_mps: float, angle: float, share: float) -> None:
    """Inside it is zero; outside it falls to zero on the way in, and is no more than the acceleration itself."""
    surface, v = fitted(), np.array([speed_mps])
    along = share * np.cos(angle) * (surface.forward_mps2(v) if np.cos(angle) > 0 else surface.backward_mps2(v))
    across = share * abs(np.sin(angle)) * surface.across_mps2(v)
    found = float(envelope_excess_mps2(surface, v, along, across)[0])
    if share <= 1.0:
        assert found == pytest.approx(0.0, abs=1e-6)
    else:
        assert 0.0 <= found <= float(np.hypot(along, across)[0]) + 1e-9
        nearer = float(envelope_excess_mps2(surface, v, along * 0.9, across * 0.9)[0])
        assert nearer <= found + 1e-9


def test_what_humans_showed_at_a_place_counts_there_only() -> None:
    bumped = changed(speed=hill(900, 25, 6.0))
    shown = limits().shown_mps2.copy()
    shown[800:1000] = 30.0
    here = replace(limits(), shown_mps2=shown)
    assert check_feasibility(replace(ghost(bumped), limits=here)).figures["envelope_excess_mps2"] == pytest.approx(
        0.0, abs=0.2
    )
    there = changed(speed=hill(1800, 25, 6.0))
    assert check_feasibility(replace(ghost(there), limits=here)).figures["envelope_excess_mps2"] > 1.0
