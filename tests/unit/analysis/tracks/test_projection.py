from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.tracks.circuit import circuit_from_track
from analysis.tracks.projection import project_on_line, read_fixes, to_plane_metres
from conf.track import load_track
from physics.centre_line import Line, even_grid

CIRCUIT = circuit_from_track(load_track("alder-ridge"))


def beside(line: Line, s_m: np.ndarray, offset_m: float) -> tuple[np.ndarray, np.ndarray]:
    dx, dy = (np.roll(axis, -1) - np.roll(axis, 1) for axis in (line.x_m, line.y_m))
    norm = np.hypot(dx, dy)
    axes = line.x_m - offset_m * dy / norm, line.y_m + offset_m * dx / norm
    x, y = (np.interp(s_m, line.s_m, axis, period=line.length_m) for axis in axes)
    return x, y


@settings(max_examples=40, deadline=None)
@given(
    start=st.floats(-3000, 3000),
    offset=st.floats(-6, 6),
    expected_off=st.floats(-120, 120),
    noise=st.floats(0, 0.5),
)
def test_a_car_beside_the_line_is_found_where_it_is(start, offset, expected_off, noise) -> None:
    line = CIRCUIT.line
    s = start + np.arange(0.0, 1.2 * line.length_m, 3.0)
    x, y = beside(line, s, offset)
    rng = np.random.default_rng(1)
    seen = project_on_line(line, x + rng.normal(0, noise, x.size), y + rng.normal(0, noise, x.size), s + expected_off)
    assert np.abs(seen.s_m - s).max() < 2.0 + 6 * noise
    assert np.median(seen.offset_m) == pytest.approx(offset, abs=0.1 + noise)


def test_where_two_roads_run_side_by_side_the_expected_one_is_taken() -> None:
    """A hairpin whose legs lie 12 m apart, and fixes that wander 8 m towards the other leg for a while."""
    leg, width = 600.0, 12.0
    length = 2 * leg + 2 * width
    s = even_grid(length, round(length))
    corners = np.array([[0, 0], [leg, 0], [leg, width], [0, width], [0, 0]], dtype=float)
    along = np.array([0, leg, leg + width, 2 * leg + width, length])
    x, y = (np.interp(s, along, axis) for axis in corners.T)
    line = Line(s, x, y, np.zeros(len(s)), length)
    truth = np.arange(10.0, 590.0, 3.0)
    aside = np.where((truth > 280) & (truth < 340), 8.0, 0.0)
    seen = project_on_line(line, truth, aside, truth)
    assert np.abs(seen.s_m - truth).max() < 3.0


def test_metres_of_a_degree() -> None:
    """At 45 degrees one degree of latitude is 111.132 km and one of longitude 78.847 km on WGS84."""
    x, y = to_plane_metres(np.array([45.0, 45.001]), np.array([7.001, 7.0]), (45.0, 7.0))
    assert x[0] == pytest.approx(78.847, abs=0.01)
    assert y[1] == pytest.approx(111.132, abs=0.01)


def test_a_repeated_position_is_left_out_and_an_absent_one_is_none() -> None:
    t = np.arange(6.0)
    x = np.array([0.0, 0.0, 1.0, np.nan, 1.0, 2.0])
    fixes = read_fixes(t, {"x_m": x, "y_m": np.zeros(6)}, None)
    assert fixes is not None
    assert fixes.t_s.tolist() == [0.0, 2.0, 5.0]
    assert read_fixes(t, {"x_m": x}, None) is None
    assert read_fixes(t, {"x_m": np.full(6, np.nan), "y_m": x}, None) is None
    assert read_fixes(t, {"x_m": x, "y_m": x}, (45.0, 7.0)) is None
