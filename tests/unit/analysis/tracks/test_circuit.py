from __future__ import annotations

import math

import pytest

from analysis.tracks.circuit import MIN_CORNER_DEG, circuit_from_track, name_corners
from analysis.tracks.corners import find_corners
from conf.track import ArcSpec, StraightSpec, TrackSpec, load_track, track_names


@pytest.mark.parametrize("name", track_names())
def test_every_track_file_gives_numbered_corners_in_driving_order(name: str) -> None:
    track = load_track(name)
    circuit = circuit_from_track(track)
    assert circuit.length_m == pytest.approx(track.length_m)
    assert circuit.sector_ends_m == track.sector_ends_m
    assert [corner.number for corner in circuit.corners] == list(range(1, len(circuit.corners) + 1))
    end = 0.0
    for corner in circuit.corners:
        assert end <= corner.entry_m < corner.apex_m < corner.exit_m <= circuit.length_m
        end = corner.exit_m
    ways = [1 if corner.direction == "left" else -1 for corner in circuit.corners]
    turned = sum(way * (c.exit_m - c.entry_m) / c.radius_m for way, c in zip(ways, circuit.corners, strict=True))
    assert abs(turned) == pytest.approx(2 * math.pi, abs=0.01)


@pytest.mark.parametrize("name", track_names())
def test_corners_found_on_the_line_are_those_of_the_file(name: str) -> None:
    circuit = circuit_from_track(load_track(name))
    found = find_corners(circuit.line)
    assert [corner.direction for corner in found] == [corner.direction for corner in circuit.corners]
    for seen, drawn in zip(found, circuit.corners, strict=True):
        assert seen.entry_m == pytest.approx(drawn.entry_m, abs=12)
        assert seen.exit_m == pytest.approx(drawn.exit_m, abs=12)
        assert drawn.entry_m - 5 <= seen.apex_m <= drawn.exit_m + 5
        assert seen.radius_m == pytest.approx(drawn.radius_m, rel=0.05)


def test_arcs_without_a_straight_between_them_are_one_corner_while_they_turn_one_way() -> None:
    track = TrackSpec(
        name="eight",
        title="Eight arcs",
        width_m=9,
        sector_ends_m=(),
        segments=tuple(
            piece
            for _ in range(4)
            for piece in (
                StraightSpec(straight_m=200),
                ArcSpec(radius_m=60, angle_deg=50),
                ArcSpec(radius_m=30, angle_deg=60),
                ArcSpec(radius_m=60, angle_deg=-20),
            )
        ),
    )
    corners = circuit_from_track(track).corners
    assert [corner.direction for corner in corners] == ["left", "right"] * 4
    assert corners[0].radius_m == 30
    assert corners[0].entry_m == pytest.approx(200)
    assert corners[0].exit_m == pytest.approx(corners[1].entry_m)


def test_a_kink_is_no_corner() -> None:
    """Two halves that each turn by 180 degrees close, whatever lies in them."""
    kink = MIN_CORNER_DEG - 1
    half = (
        StraightSpec(straight_m=200),
        ArcSpec(radius_m=100, angle_deg=kink),
        StraightSpec(straight_m=100),
        ArcSpec(radius_m=100, angle_deg=-kink),
        StraightSpec(straight_m=200),
        ArcSpec(radius_m=50, angle_deg=180),
    )
    track = TrackSpec(name="kink", title="Kink", width_m=9, sector_ends_m=(), segments=(*half, *half))
    assert [corner.radius_m for corner in circuit_from_track(track).corners] == [50, 50]


def test_names_are_put_on_by_number() -> None:
    circuit = circuit_from_track(load_track("three-oaks"))
    named = name_corners(circuit, {2: "Hairpin"})
    assert [corner.label for corner in named.corners[:3]] == ["T1", "T2 Hairpin", "T3"]
    assert name_corners(named, {1: "First"}).corners[1].name == "Hairpin"
    with pytest.raises(ValueError, match=r"no corner 99: it has \d+"):
        name_corners(circuit, {99: "Nowhere"})
