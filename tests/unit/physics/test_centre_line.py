from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from conf.track import ArcSpec, StraightSpec, TrackSpec, load_track, track_names
from physics.centre_line import MAX_GAP_M, build_centre_line, build_driven_line, fit_line_through
from tests.unit.physics.gps_line import line_from_gps, local_metres


def circle(radius: float, angle: float = 360.0) -> TrackSpec:
    arcs = tuple(ArcSpec(radius_m=radius, angle_deg=angle / 4) for _ in range(4))
    return TrackSpec(name="circle", title="Circle", width_m=10, sector_ends_m=(), segments=arcs)


@pytest.mark.parametrize("name", track_names())
def test_every_track_closes_and_turns_once(name: str) -> None:
    track = load_track(name)
    line = build_centre_line(track)
    step = np.hypot(np.diff(line.x_m, append=line.x_m[0]), np.diff(line.y_m, append=line.y_m[0]))
    assert step.max() <= line.step_m + MAX_GAP_M
    assert 2000 <= line.length_m <= 4500
    assert abs(line.curvature_per_m.sum() * line.step_m) == pytest.approx(2 * np.pi, rel=0.01)
    assert len(track.sector_ends_m) == 2


@pytest.mark.parametrize("name", track_names())
def test_the_driven_line_stays_on_the_road(name: str) -> None:
    track = load_track(name)
    centre = build_centre_line(track)
    driven = build_driven_line(centre, 8.0)
    apart = np.hypot(driven.x_m[:, None] - centre.x_m[::3], driven.y_m[:, None] - centre.y_m[::3]).min(axis=1)
    assert apart.max() < track.width_m / 2
    turned = driven.curvature_per_m.sum() * driven.step_m
    assert abs(turned) == pytest.approx(2 * np.pi, rel=0.005)


def test_tracks_are_at_least_three() -> None:
    assert len(track_names()) >= 3


@given(st.floats(30, 400))
@settings(max_examples=20, deadline=None)
def test_a_circle_has_its_curvature_everywhere(radius: float) -> None:
    line = build_centre_line(circle(radius))
    assert line.curvature_per_m == pytest.approx(np.full(len(line.s_m), 1 / radius))
    again = fit_line_through(line.x_m, line.y_m, len(line.s_m))
    assert again.curvature_per_m == pytest.approx(np.full(len(line.s_m), 1 / radius), rel=0.01)


def test_a_track_that_does_not_close_says_by_how_much() -> None:
    with pytest.raises(ValueError, match=r"does not close: it ends \d+\.\d\d m"):
        build_centre_line(circle(100.0, 340.0))
    loop = TrackSpec(
        name="open",
        title="Open",
        width_m=10,
        sector_ends_m=(),
        segments=(*circle(100.0).segments, StraightSpec(straight_m=3)),
    )
    with pytest.raises(ValueError, match="change its straights"):
        build_centre_line(loop)


def test_sectors_must_lie_on_the_lap() -> None:
    with pytest.raises(ValidationError, match="sector_ends_m must rise"):
        TrackSpec(name="x", title="X", width_m=9, sector_ends_m=(9000.0,), segments=circle(50.0).segments)


def test_an_unknown_track_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="three-oaks"):
        load_track("nowhere")


def test_curvature_comes_back_from_coarse_fixes() -> None:
    """A circle of 80 m seen by a GPS of 10 Hz that resolves half a metre."""
    angle = np.linspace(0, 2 * np.pi, 160)
    lat = 33.5 + np.round(80 * np.sin(angle) / 0.45) * 0.45 / 111_195
    lon = -86.6 + np.round(80 * np.cos(angle) / 0.45) * 0.45 / (111_195 * np.cos(np.radians(33.5)))
    line = line_from_gps(angle * 80, lat, lon, smoothing_m=12)
    assert np.median(line.curvature_per_m) == pytest.approx(1 / 80, rel=0.05)


def test_straights_far_from_the_origin_stay_straight() -> None:
    """A stadium 2 km long: a truncated derivative kernel once bent its straights by 0.005 per metre."""
    corner = ArcSpec(radius_m=60, angle_deg=180)
    straight = StraightSpec(straight_m=1000)
    track = TrackSpec(name="s", title="S", width_m=9, sector_ends_m=(), segments=(straight, corner, straight, corner))
    line = build_centre_line(track)
    lat, lon = 39.8 + line.y_m / 111_195.08, -86.2 + line.x_m / (111_195.08 * np.cos(np.radians(39.8)))
    seen = line_from_gps(np.append(line.s_m, line.length_m), np.append(lat, lat[0]), np.append(lon, lon[0]), 6.0)
    assert np.abs(seen.curvature_per_m[100:900]).max() < 1e-5
    middle_of_bend = int(1000 + 30 * np.pi)
    assert seen.curvature_per_m[middle_of_bend] == pytest.approx(1 / 60, rel=0.02)


def test_radians_are_recognised() -> None:
    angle = np.linspace(0, 2 * np.pi, 50)
    with pytest.raises(ValueError, match="radians"):
        local_metres(0.6633 + 1e-4 * np.sin(angle), -1.4372 + 1e-4 * np.cos(angle))
