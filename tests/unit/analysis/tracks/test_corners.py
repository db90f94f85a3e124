from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.tracks.corners import CornerRule, find_corners
from conf.track import ArcSpec, StraightSpec, TrackSpec, load_track, track_names
from physics.centre_line import Line, build_centre_line


def loop(*segments: StraightSpec | ArcSpec) -> Line:
    return build_centre_line(TrackSpec(name="loop", title="Loop", width_m=9, sector_ends_m=(), segments=segments))


def stadium(*end: ArcSpec) -> Line:
    """Two straights of 300 m with the same end on either side; the end turns by 180 degrees."""
    return loop(StraightSpec(straight_m=300), *end, StraightSpec(straight_m=300), *end)


def started(line: Line, at_m: float) -> Line:
    """The line with its start moved."""
    k = -round(at_m / line.step_m)
    x, y, bend = (np.roll(axis, k) for axis in (line.x_m, line.y_m, line.curvature_per_m))
    return replace(line, x_m=x, y_m=y, curvature_per_m=bend)


@pytest.mark.parametrize("name", track_names())
def test_moving_the_start_moves_the_numbers_only(name: str) -> None:
    line = build_centre_line(load_track(name))
    corners = find_corners(line)
    at = corners[1].exit_m + 10.0
    moved = find_corners(started(line, at))
    assert [c.direction for c in moved] == [c.direction for c in (*corners[2:], *corners[:2])]
    for after, before in zip(moved, (*corners[2:], *corners[:2]), strict=True):
        apart = (after.apex_m + at - before.apex_m + 100.0) % line.length_m - 100.0
        assert apart == pytest.approx(0, abs=2.0)


def test_a_corner_over_the_line_keeps_its_ends_and_comes_once() -> None:
    line = stadium(ArcSpec(radius_m=60, angle_deg=180))
    middle = 300 + 30 * np.pi
    corners = find_corners(started(line, middle))
    assert len(corners) == 2
    over = max(corners, key=lambda corner: corner.entry_m)
    assert over.exit_m < over.entry_m
    assert (over.exit_m - over.entry_m) % line.length_m == pytest.approx(60 * np.pi, abs=30)


@pytest.mark.parametrize(("between_m", "corners"), [(200.0, 4), (70.0, 2)])
def test_a_double_apex_is_two_corners_where_it_straightens_between_them(between_m: float, corners: int) -> None:
    outer, inner = ArcSpec(radius_m=50, angle_deg=70), ArcSpec(radius_m=between_m, angle_deg=40)
    found = find_corners(stadium(outer, inner, outer))
    assert len(found) == corners
    assert {corner.direction for corner in found} == {"left"}


def test_the_rule_decides_what_is_a_corner() -> None:
    line = stadium(ArcSpec(radius_m=400, angle_deg=180))
    assert find_corners(line) == ()
    wide = find_corners(line, CornerRule(bend_per_m=1 / 450, edge_per_m=1 / 800))
    assert [corner.radius_m for corner in wide] == pytest.approx([400, 400], rel=0.02)
